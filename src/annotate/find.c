// SPDX-License-Identifier: BSD-2-Clause
#include "find.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "fail.h"
#include "mem.h"
#include "store_query.h"

#define CANDIDATES_SHOWN 8

enum fit { FIT_NOT, FIT_PART, FIT_BUT_CASE, FIT_EXACT };

struct candidates {
	struct function *items;
	size_t count, capacity;
	enum fit fit; /* of all of them */
};

static enum fit fit_of(const char *name, const char *wanted)
{
	if (!strcmp(name, wanted))
		return FIT_EXACT;
	if (!strcasecmp(name, wanted))
		return FIT_BUT_CASE;
	return strcasestr(name, wanted) ? FIT_PART : FIT_NOT;
}

static const char *keep(struct arena *memory, struct query *q, int column)
{
	const char *text = query_text(q, column);

	return query_is_null(q, column) ? NULL : arena_strndup(memory, text, strlen(text));
}

/* Only the best fit counts: an exact name is meant although it is part of others. */
static void consider(struct candidates *c, struct query *q, const struct annotate_options *o, struct arena *memory)
{
	enum fit fit = fit_of(query_text(q, 1), o->symbol);

	if (fit == FIT_NOT || fit < c->fit || (o->module && !strstr(query_text(q, 2), o->module)))
		return;
	if (fit > c->fit)
		c->count = 0;
	c->fit = fit;
	GROW(c->items, c->count, c->capacity);
	c->items[c->count++] = (struct function){
		.symbol = (uint32_t)query_int(q, 0), .name = keep(memory, q, 1), .path = keep(memory, q, 2),
		.kind = keep(memory, q, 3), .file = keep(memory, q, 4), .size = (uint64_t)query_int(q, 5),
		.has_code = query_int(q, 6), .samples = (uint64_t)query_int(q, 7), .ns = (uint64_t)query_int(q, 8)};
}

static int read_candidates(struct store *s, const struct annotate_options *o, struct arena *memory,
			   struct candidates *c)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s,
		"SELECT coalesce(max(k.symbol), max(y.id)), y.name, m.path, m.kind, y.file, y.size, "
		"max(k.symbol) IS NOT NULL, sum(n.count) AS count, sum(n.ns) "
		"FROM symbol y JOIN module m ON m.id = y.module LEFT JOIN code k ON k.symbol = y.id "
		"LEFT JOIN (SELECT f.symbol, sum(c.count) AS count, sum(c.ns) AS ns FROM cpu_sample c "
		"JOIN stack s ON s.id = c.stack JOIN frame f ON f.id = s.frame GROUP BY f.symbol) n "
		"ON n.symbol = y.id GROUP BY iif(m.kind = 'elf' AND m.build_id IS NOT NULL, m.path || hex(m.build_id), m.id), y.start, y.name "
		"ORDER BY count DESC", &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		consider(c, q, o, memory);
	return r;
}

/* What was called but never seen running has nothing to show, so long as another one has. */
static void drop_idle(struct candidates *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->count; i++)
		if (c->items[i].has_code && c->items[i].samples)
			c->items[kept++] = c->items[i];
	c->count = kept ? kept : c->count;
}

static int ambiguous(struct store *s, const struct annotate_options *o, const struct candidates *c)
{
	_cleanup_(buf_done) struct buf list = BUF_INIT;
	bool same = true;

	for (size_t i = 0; i < c->count; i++) {
		const struct function *f = &c->items[i];

		same &= !strcmp(f->name, c->items[0].name);
		if (i < CANDIDATES_SHOWN)
			buf_addf(&list, "%s%s (%s, %llu samples)", i ? ", " : "", f->name, f->path,
				 (unsigned long long)f->samples);
	}
	if (c->count > CANDIDATES_SHOWN)
		buf_addf(&list, " and %zu more", c->count - CANDIDATES_SHOWN);
	return failx(-ENOTUNIQ, "%s: '%s' fits %zu functions%s: %s", store_path(s), o->symbol, c->count,
		     same ? " (--module or -p tells them apart)" : "", list.data);
}

int function_find(struct store *s, const struct annotate_options *o, struct arena *memory,
		  struct function *ret_function)
{
	struct candidates c = {0};
	int r = read_candidates(s, o, memory, &c);

	drop_idle(&c);
	if (r >= 0 && !c.count)
		r = failx(-ENOENT, "%s: no function '%s'%s%s is in it", store_path(s), o->symbol,
			  o->module ? " of a module like " : "", o->module ? o->module : "");
	else if (r >= 0 && c.count > 1)
		r = ambiguous(s, o, &c);
	else if (r >= 0)
		*ret_function = c.items[0];
	free(c.items);
	return r;
}
