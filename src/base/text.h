/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions about strings. */
#pragma once
#include <stdbool.h>
#include <string.h>

static inline bool starts_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* With something in front of it. */
static inline bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), tail = strlen(end);

	return len > tail && !strcmp(text + len - tail, end);
}

/* A path that is this folder's, or lies in it; its own `len` bytes end in no slash, but for "/". */
static inline bool is_path_in(const char *path, const char *folder, size_t len)
{
	return !strncmp(path, folder, len) && (len == 1 || !path[len] || path[len] == '/');
}
