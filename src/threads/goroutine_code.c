// SPDX-License-Identifier: BSD-2-Clause
/* Which goroutines may hold a mutex at all: those in whose functions' code its release is still to come, there, in a function
 * that they call, or in one that they have deferred. */
#include <stdlib.h>
#include <string.h>

#include "goroutine.h"
#include "hash.h"
#include "mem.h"
#include "text.h"

enum {
	CODE_BYTES = 4 << 10, /* that are looked at behind a place */
	MOST_CALLS = 64,      /* of one */
	MOST_CODE = 1 << 12,  /* places */
	CALL = 0xe8,          /* and the distance in four bytes */
	FUNCTION_ALIGN = 16,
};

struct code {
	uint64_t from;
	uint64_t calls[MOST_CALLS];
	uint32_t places[MOST_CALLS];
	size_t count;
};

struct codes {
	const struct space *space;
	struct namer *namer;
	struct code *items;
	size_t count, capacity;
	struct map *known; /* address -> index */
};

static void read_code(struct codes *c, struct code *code)
{
	const struct space_mapping *m = space_find(c->space, code->from);
	unsigned char bytes[CODE_BYTES];
	int32_t distance;

	if (!m || !m->executable)
		return;
	size_t len = space_read(c->space, code->from, bytes, sizeof(bytes));
	for (size_t at = 0; at + 5 <= len && code->count < MOST_CALLS; at++) {
		memcpy(&distance, bytes + at + 1, sizeof(distance));
		uint64_t target = code->from + at + 5 + (uint64_t)(int64_t)distance;

		if (bytes[at] != CALL || target % FUNCTION_ALIGN || target < m->start || target >= m->end)
			continue;
		code->places[code->count] = namer_function(c->namer, c->space, target);
		code->calls[code->count++] = target;
	}
}

static void add_code(struct codes *c, uint64_t from)
{
	uint64_t index;

	if (c->count >= MOST_CODE || map_get(c->known, from, &index))
		return;
	map_put(c->known, from, c->count);
	GROW(c->items, c->count, c->capacity);
	struct code *code = &c->items[c->count++];
	*code = (struct code){.from = from};
	read_code(c, code);
}

/* A function of Go ends with the call for a larger stack. */
static void cut_at_the_end(const struct codes *c, struct code *code)
{
	for (size_t i = 0; i < code->count; i++)
		if (starts_with(namer_name(c->namer, code->places[i]), "runtime.morestack"))
			code->count = i;
}

static bool is_release(const char *name)
{
	static const char *const names[] = {"sync.(*Mutex).Unlock", "sync.(*Mutex).unlockSlow", "internal/sync.(*Mutex).Unlock",
					    "internal/sync.(*Mutex).unlockSlow", "sync.(*RWMutex).Unlock", "sync.(*RWMutex).RUnlock",
					    "sync.(*RWMutex).rUnlockSlow"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static bool releases(const struct codes *c, uint64_t from, bool follow)
{
	uint64_t index;

	if (!map_get(c->known, from, &index))
		return false;
	const struct code *code = &c->items[index];
	for (size_t i = 0; i < code->count; i++)
		if (is_release(namer_name(c->namer, code->places[i])) || (follow && releases(c, code->calls[i], false)))
			return true;
	return false;
}

/* Names the targets of all calls from the first on, and leaves out what lies behind the functions' ends. */
static void name_calls(struct codes *c, size_t first)
{
	namer_finish(c->namer);
	for (size_t i = first; i < c->count; i++)
		cut_at_the_end(c, &c->items[i]);
}

bool *goroutines_that_unlock(const struct goroutines *g, struct namer *n)
{
	struct codes c = {.space = g->space, .namer = n, .known = map_new()};
	bool *ret = xcalloc(g->count + 1, sizeof(*ret));

	for (size_t i = 0; i < g->count; i++) {
		for (size_t f = 0; f < g->items[i].frame_count; f++)
			add_code(&c, g->items[i].frames[f]);
		for (size_t f = 0; f < g->items[i].function_count; f++)
			add_code(&c, g->items[i].functions[f]);
	}
	name_calls(&c, 0);
	size_t direct = c.count;
	for (size_t i = 0; i < direct; i++)
		for (size_t k = 0; k < c.items[i].count; k++)
			if (!starts_with(namer_name(n, c.items[i].places[k]), "runtime."))
				add_code(&c, c.items[i].calls[k]);
	name_calls(&c, direct);
	for (size_t i = 0; i < g->count; i++) {
		ret[i] = !g->items[i].frame_count;
		for (size_t f = 0; f < g->items[i].frame_count && !ret[i]; f++)
			ret[i] = releases(&c, g->items[i].frames[f], true);
		for (size_t f = 0; f < g->items[i].function_count && !ret[i]; f++)
			ret[i] = releases(&c, g->items[i].functions[f], true);
	}
	map_free(c.known);
	free(c.items);
	return ret;
}
