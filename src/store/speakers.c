// SPDX-License-Identifier: BSD-2-Clause
#include "speakers.h"

#include <string.h>

#include "hash.h"
#include "mem.h"

/* What is said of a stack so far, from its root on. Texts are interned; NULL: nobody has spoken. */
struct speech {
	const char *function, *caller, *outer, *path;
	bool python;
};

struct speaker {
	const char *name;
	bool python;
};

static const char *intern_text(struct intern *texts, const char *text, size_t len)
{
	return intern_key(texts, intern_id(texts, text, len, NULL), NULL);
}

/* By frame; the map's values are places in it. */
static int read_speakers(struct store *s, struct intern *texts, struct map *places, struct speaker **speakers)
{
	_cleanup_(query_freep) struct query *q = NULL;
	size_t count = 0, capacity = 0;
	int r = query_new(s, "SELECT frame, name, python FROM speaking_frame", &q);

	while (r >= 0 && (r = query_next(q)) > 0) {
		const char *name = query_text(q, 1);

		GROW(*speakers, count, capacity);
		(*speakers)[count] = (struct speaker){intern_text(texts, name, strlen(name)), query_int(q, 2)};
		map_put(places, (uint64_t)query_int(q, 0), count++);
	}
	return r;
}

static const char *path_of(const struct speech *speech, struct intern *texts)
{
	_cleanup_(buf_done) struct buf path = BUF_INIT;

	buf_addstr(&path, speech->function);
	if (speech->caller)
		buf_addf(&path, " < %s", speech->caller);
	if (speech->outer)
		buf_addf(&path, " < %s", speech->outer);
	return intern_text(texts, path.data, path.len);
}

/* The one nearest to the leaf speaks; where Python has spoken, nobody else does any more. */
static struct speech go_on(const struct speech *below, const struct speaker *k, struct intern *texts)
{
	struct speech speech = {.function = k->name, .python = k->python};

	if (k->python < below->python)
		return *below;
	if (k->python == below->python) {
		speech.caller = below->function;
		speech.outer = below->caller;
	}
	speech.path = path_of(&speech, texts);
	return speech;
}

/* A stack comes after the one that it goes on from. */
int store_find_speakers(struct store *s, const struct rows_table *stacks, struct intern *texts, struct rows_table *speakers)
{
	_cleanup_free_ struct speech *speeches = xcalloc(stacks->count + 1, sizeof(*speeches));
	_cleanup_free_ struct speaker *known = NULL;
	_cleanup_(map_freep) struct map *places = map_new(), *rows = map_new();
	int r = read_speakers(s, texts, places, &known);

	for (size_t i = 0; r >= 0 && i < stacks->count; i++) {
		const int64_t *stack = rows_table_row(stacks, i);
		uint64_t parent, place;

		if (stack[1] != ROWS_NULL && !map_get(rows, (uint64_t)stack[1], &parent))
			continue;
		map_put(rows, (uint64_t)stack[0], i);
		if (stack[1] != ROWS_NULL)
			speeches[i] = speeches[parent];
		if (map_get(places, (uint64_t)stack[2], &place))
			speeches[i] = go_on(&speeches[i], &known[place], texts);
		int64_t *row = rows_table_add(speakers);
		row[0] = stack[0];
		row[1] = (int64_t)(intptr_t)speeches[i].function;
		row[2] = (int64_t)(intptr_t)speeches[i].path;
	}
	return r < 0 ? r : 0;
}
