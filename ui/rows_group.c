// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "arena.h"
#include "hash.h"
#include "mem.h"
#include "rows.h"

struct group {
	struct row row;
	struct state_times times;
};

size_t group_parent_length(const char *path, size_t len)
{
	if (len <= 1)
		return 0;
	while (len > 1 && path[len - 1] != '/')
		len--;
	return len > 1 ? len - 1 : 1;
}

static struct group *group_of(struct row_list *r, struct map *index, const char *path, size_t len)
{
	uint64_t found, key = hash_bytes(path, len);
	struct group *g;

	if (map_get(index, key, &found))
		return (struct group *)(uintptr_t)found;
	g = arena_alloc(r->memory, sizeof(*g));
	*g = (struct group){.row.group = arena_strndup(r->memory, path, len)};
	map_put(index, key, (uintptr_t)g);
	return g;
}

/* A process counts for its control group and for all above. */
static void add_process(struct row_list *r, struct map *index, const struct row *row)
{
	const char *path = row->process->cgroup;

	for (size_t len = strlen(path); len; len = group_parent_length(path, len)) {
		struct group *g = group_of(r, index, path, len);

		state_add(&g->times, row->times);
		g->row.window_ns = row->window_ns;
		g->row.threads += row->threads;
		g->row.resident += row->resident;
	}
}

void rows_add_groups(struct row_list *r)
{
	_cleanup_(map_freep) struct map *index = map_new();
	uint64_t key, value;
	size_t cursor = 0;

	if (!r->memory)
		r->memory = arena_new();
	for (uint32_t i = 0; i < r->count; i++)
		add_process(r, index, &r->rows[i]);
	while (map_next(index, &cursor, &key, &value)) {
		struct group *g = (struct group *)(uintptr_t)value;

		g->row.times = &g->times;
		GROW(r->rows, r->count, r->capacity);
		r->rows[r->count++] = g->row;
	}
}
