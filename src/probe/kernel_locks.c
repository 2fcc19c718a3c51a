// SPDX-License-Identifier: BSD-2-Clause
#include "kernel_locks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "hash.h"
#include "kernel_text.h"
#include "mem.h"

enum {
	MOST_SEARCHES = 16,  /* each reads all of the kernel's symbols */
	MOST_OFFSET = 65536, /* in a variable: what lies further behind its start belongs to another */
};

#define IMAGE_BYTES (2ull << 30) /* the kernel's code, variables and modules lie so close together */

static bool is_variable(const struct kernel_text *text, uint64_t address)
{
	uint64_t code = text->places[PLACE_SCHEDULE].start;

	return code && (address > code ? address - code : code - address) < IMAGE_BYTES;
}

/* The symbol of data nearest before the address. */
static char *search(uint64_t address)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/kallsyms", "re");
	_cleanup_(buf_done) struct buf best = BUF_INIT;
	_cleanup_free_ char *line = NULL;
	uint64_t start = 0;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		char *end;
		uint64_t at = strtoull(line, &end, 16);

		if (at > address || at <= start || address - at > MOST_OFFSET || strlen(end) < 4 || !strchr("dDbB", end[1]))
			continue;
		start = at;
		best.len = 0;
		buf_add(&best, end + 3, strcspn(end + 3, "\n\t "));
	}
	if (!start)
		return NULL;
	return start == address ? xstrdup(best.data) : xasprintf("%s+0x%llx", best.data, (unsigned long long)(address - start));
}

const char *kernel_locks_name(struct kernel_locks *l, const struct kernel_text *text, uint64_t address)
{
	char *name = NULL;
	uint64_t known;

	if (!l->names)
		l->names = map_new();
	if (map_get(l->names, address, &known))
		return (const char *)(uintptr_t)known;
	if (is_variable(text, address) && l->searched < MOST_SEARCHES) {
		l->searched++;
		name = search(address);
	}
	if (!name)
		name = xasprintf("0x%llx", (unsigned long long)address);
	map_put(l->names, address, (uintptr_t)name);
	return name;
}

void kernel_locks_done(struct kernel_locks *l)
{
	uint64_t address, name;
	size_t cursor = 0;

	while (l->names && map_next(l->names, &cursor, &address, &name))
		free((char *)(uintptr_t)name);
	map_free(l->names);
}
