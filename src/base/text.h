/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions about strings. */
#pragma once
#include <stdbool.h>
#include <string.h>

static inline bool starts_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}
