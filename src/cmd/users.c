// SPDX-License-Identifier: BSD-2-Clause
#include "users.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "arena.h"
#include "buf.h"
#include "hash.h"
#include "io.h"
#include "mem.h"
#include "parse.h"

enum { LARGEST_PASSWD = 16 << 20 };

struct users {
	struct arena *strings;
	struct map *names; /* uid -> const char * */
	char number[16];
};

struct users *users_new(void)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	struct users *u = xcalloc(1, sizeof(*u));
	char *rest;

	u->strings = arena_new();
	u->names = map_new();
	if (read_file("/etc/passwd", LARGEST_PASSWD, &text) < 0)
		return u;
	rest = text.data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		char *name = strsep(&line, ":"), *password = strsep(&line, ":"), *number = strsep(&line, ":");
		uint64_t uid, known;

		/* The first line of a uid names it. */
		if (password && number && parse_u64(number, 0, UINT32_MAX, &uid) == 0 &&
		    !map_get(u->names, uid, &known))
			map_put(u->names, uid, (uintptr_t)arena_strndup(u->strings, name, strlen(name)));
	}
	return u;
}

void users_free(struct users *u)
{
	if (!u)
		return;
	arena_free(u->strings);
	map_free(u->names);
	free(u);
}

const char *users_of_process(struct users *u, uint32_t pid)
{
	char path[32];
	struct stat st;
	uint64_t name;

	snprintf(path, sizeof(path), "/proc/%u", pid);
	if (stat(path, &st) < 0)
		return NULL;
	if (map_get(u->names, st.st_uid, &name))
		return (const char *)(uintptr_t)name;
	snprintf(u->number, sizeof(u->number), "%u", st.st_uid);
	return u->number;
}
