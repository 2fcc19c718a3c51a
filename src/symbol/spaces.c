// SPDX-License-Identifier: BSD-2-Clause
#include "spaces.h"

#include <errno.h>
#include <string.h>

#include "hash.h"
#include "mem.h"

struct spaces {
	struct map *by_number; /* -> struct space * */
};

struct spaces *spaces_new(void)
{
	struct spaces *s = xcalloc(1, sizeof(*s));

	s->by_number = map_new();
	return s;
}

struct space *spaces_next(const struct spaces *s, size_t *cursor)
{
	uint64_t number, value;

	return map_next(s->by_number, cursor, &number, &value) ? (struct space *)(uintptr_t)value : NULL;
}

void spaces_free(struct spaces *s)
{
	struct space *space;
	size_t cursor = 0;

	if (!s)
		return;
	while ((space = spaces_next(s, &cursor)))
		free(space);
	map_free(s->by_number);
	free(s);
}

static int by_start(const void *a, const void *b)
{
	const struct space_mapping *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

/* Whether one mapping just continues the other. */
static bool continues(const struct space_mapping *m, const struct space_mapping *next)
{
	return m->end == next->start && m->module == next->module && next->module >= SPACE_CODES;
}

static void add_mapping(struct space *space, const struct space_mapping *m)
{
	struct space_mapping *last = space->count ? &space->mappings[space->count - 1] : NULL;

	if (m->start >= m->end)
		return;
	if (last && last->end > m->start)
		last->end = m->start;
	if (last && continues(last, m))
		last->end = m->end;
	else if (last && last->start == last->end)
		*last = *m;
	else
		space->mappings[space->count++] = *m;
}

int spaces_define(struct spaces *s, uint32_t number, const struct space_mapping *mappings,
		  size_t count)
{
	if (count > SPACE_MAPPINGS_MAX)
		return -E2BIG;
	_cleanup_free_ struct space_mapping *sorted = xcalloc(count, sizeof(*sorted));
	struct space *space = xmalloc(sizeof(*space) + count * sizeof(*sorted));

	if (count)
		memcpy(sorted, mappings, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_start);
	*space = (struct space){.number = number};
	for (size_t i = 0; i < count; i++)
		add_mapping(space, &sorted[i]);
	struct space *old = spaces_get(s, number);
	space->known = old && old->known;
	free(old);
	map_put(s->by_number, number, (uintptr_t)space);
	return 0;
}

struct space *spaces_get(const struct spaces *s, uint32_t number)
{
	uint64_t value;

	return map_get(s->by_number, number, &value) ? (struct space *)(uintptr_t)value : NULL;
}

bool spaces_remove(struct spaces *s, uint32_t number)
{
	struct space *space = spaces_get(s, number);
	bool known = space && space->known;

	map_remove(s->by_number, number);
	free(space);
	return known;
}

void spaces_lost(struct spaces *s)
{
	struct space *space;
	size_t cursor = 0;

	while ((space = spaces_next(s, &cursor))) {
		space->sent = 0;
		space->complete = space->known = false;
	}
}
