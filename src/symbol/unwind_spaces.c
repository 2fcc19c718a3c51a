// SPDX-License-Identifier: BSD-2-Clause
#include "unwind_spaces.h"

#include <string.h>

#include "hash.h"
#include "mem.h"
#include "search.h"

#define TABLES_A_STACK 64 /* made for one request */

struct unwind_space {
	struct unwind_mapping *mappings;
	struct space_mapping *sources; /* of the same number */
	uint32_t total, count; /* announced, and here so far */
	uint64_t generation; /* of the tables that the mappings point to; 0: of none */
};

struct unwind_spaces {
	struct map *by_number; /* -> struct unwind_space * */
	struct unwind_tables *tables;
};

struct unwind_spaces *unwind_spaces_new(struct unwind_tables *tables)
{
	struct unwind_spaces *s = xcalloc(1, sizeof(*s));

	s->by_number = map_new();
	s->tables = tables;
	return s;
}

static struct unwind_space *find(const struct unwind_spaces *s, uint32_t number)
{
	uint64_t value;

	return map_get(s->by_number, number, &value) ? (struct unwind_space *)(uintptr_t)value
						     : NULL;
}

void unwind_spaces_forget(struct unwind_spaces *s, uint32_t number)
{
	struct unwind_space *space = find(s, number);

	if (!space)
		return;
	map_remove(s->by_number, number);
	free(space->mappings);
	free(space->sources);
	free(space);
}

static struct unwind_space *begin(struct unwind_spaces *s, uint32_t number, uint32_t total)
{
	struct unwind_space *space = xcalloc(1, sizeof(*space));

	unwind_spaces_forget(s, number);
	space->total = total;
	space->mappings = xcalloc(total, sizeof(*space->mappings));
	space->sources = xcalloc(total, sizeof(*space->sources));
	map_put(s->by_number, number, (uintptr_t)space);
	return space;
}

void unwind_spaces_define(struct unwind_spaces *s, const struct record_space *record)
{
	struct unwind_space *space =
		record->first ? find(s, record->space) : begin(s, record->space, record->total);

	if (!space || record->first != space->count ||
	    record->count > space->total - space->count ||
	    record->count > (record->head.size - sizeof(*record)) / sizeof(*space->sources))
		return;
	memcpy(space->sources + space->count, record + 1, record->count * sizeof(*space->sources));
	space->count += record->count;
	space->generation = 0;
	if (space->count == space->total)
		unwind_tables_retry(s->tables);
}

static void point(struct unwind_tables *tables, struct unwind_mapping *m,
		  const struct space_mapping *source)
{
	*m = (struct unwind_mapping){
		.start = source->start, .end = source->end, .code = UNWIND_CODE_JIT};
	if (source->module == SPACE_JIT_FP)
		m->code = UNWIND_CODE_JIT_FP;
	if (source->module >= SPACE_CODES)
		return;
	enum table_state state = unwind_tables_get(tables, source->module, &m->table);
	m->code = state == TABLE_WANTED || state == TABLE_READY ? UNWIND_CODE_MODULE
								: UNWIND_CODE_UNKNOWN;
	/* Mapped where the file has no code: frame pointers may carry over it. */
	if (m->table && !unwind_table_bias(m->table, m->start, source->offset, &m->bias))
		*m = (struct unwind_mapping){
			.start = m->start, .end = m->end, .code = UNWIND_CODE_UNKNOWN};
}

static void refresh(struct unwind_spaces *s, struct unwind_space *space)
{
	uint64_t generation = unwind_tables_generation(s->tables) + 1;

	if (space->generation == generation)
		return;
	for (uint32_t i = 0; i < space->count; i++)
		point(s->tables, &space->mappings[i], &space->sources[i]);
	space->generation = generation;
}

static const struct space_mapping *mapping_at(const struct unwind_space *space, uint64_t address)
{
	size_t count = COUNT_UP_TO(space->sources, space->count, .start, address);

	return count && address < space->sources[count - 1].end ? &space->sources[count - 1] : NULL;
}

/* The table that was missing. False: it cannot be had. */
static bool load_missing(struct unwind_spaces *s, const struct unwind_space *space,
			 const struct unwind_output *out)
{
	const struct space_mapping *m;

	if (out->status != UNWIND_TRUNCATED || out->reason != UNWIND_REASON_NO_TABLE || !out->count)
		return false;
	m = mapping_at(space, unwind_lookup_ip(out, out->count - 1));
	return m && m->module < SPACE_CODES && unwind_tables_load(s->tables, m->module);
}

static void note_used(struct unwind_spaces *s, const struct unwind_space *space,
		      const struct unwind_output *out)
{
	const struct space_mapping *m = NULL;

	for (uint32_t i = 0; i < out->count; i++) {
		uint64_t ip = unwind_lookup_ip(out, i);

		if (m && ip >= m->start && ip < m->end)
			continue;
		m = mapping_at(space, ip);
		if (m && m->module < SPACE_CODES)
			unwind_tables_used(s->tables, m->module);
	}
}

void unwind_spaces_unwind(struct unwind_spaces *s, uint32_t number, struct unwind_input *in,
			  struct unwind_output *out, void (*pause)(void *arg), void *arg)
{
	struct unwind_space *space = find(s, number);
	int made = 0;

	if (space && space->count == space->total) {
		refresh(s, space);
		in->mappings = space->mappings;
		in->mapping_count = space->count;
	}
	unwind_stack(in, out);
	if (!space)
		return;
	if (out->reason == UNWIND_REASON_NO_TABLE)
		pause(arg);
	for (; made < TABLES_A_STACK && load_missing(s, space, out); made++) {
		refresh(s, space);
		unwind_stack(in, out);
	}
	note_used(s, space, out);
}
