// SPDX-License-Identifier: BSD-2-Clause
#include "annotate.h"

#include <errno.h>
#include <string.h>

#include "arena.h"
#include "disassemble.h"
#include "fail.h"
#include "find.h"
#include "mem.h"
#include "search.h"
#include "store_query.h"

#define CODE_MAX (64u << 10) /* perfscope itself keeps less of a function */

/* A function of the same module, to name targets. */
struct neighbour {
	uint64_t start;
	const char *name;
};

static struct annotated *row_at(const struct annotation *a, uint64_t address)
{
	size_t count = COUNT_UP_TO(a->rows, a->count, .address, address);

	return count && address - a->rows[count - 1].address < a->rows[count - 1].size ? &a->rows[count - 1] : NULL;
}

/* Of inlined functions the innermost one's line: that is what the instruction was made from. */
static int read_samples(struct store *s, const struct function *f, struct annotation *a)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s,
		"SELECT f.address, sum(c.count), sum(c.ns), ifnull(i.line, f.line), iif(i.frame IS NULL, y.file, z.file) "
		"FROM cpu_sample c JOIN stack s ON s.id = c.stack JOIN frame f ON f.id = s.frame "
		"JOIN symbol y ON y.id = f.symbol LEFT JOIN inlined i ON i.frame = f.id AND i.depth = 0 "
		"LEFT JOIN symbol z ON z.id = i.symbol WHERE f.symbol IN " SAME_FUNCTION " GROUP BY f.id", &q);

	if (r < 0)
		return r;
	query_bind_int(q, ":symbol", f->symbol);
	while ((r = query_next(q)) > 0) {
		struct annotated *row = row_at(a, (uint64_t)query_int(q, 0));
		const char *file = query_text(q, 4);

		if (!row)
			continue;
		row->samples += (uint64_t)query_int(q, 1);
		row->ns += (uint64_t)query_int(q, 2);
		row->line = (uint32_t)query_int(q, 3);
		row->file = *file ? arena_strndup(a->memory, file, strlen(file)) : NULL;
	}
	return r;
}

static int read_total(struct store *s, struct annotation *a)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT sum(count), sum(ns) FROM cpu_sample", &q);

	if (r < 0 || (r = query_next(q)) < 0)
		return r;
	a->all_samples = (uint64_t)query_int(q, 0);
	a->all_ns = (uint64_t)query_int(q, 1);
	return 0;
}

static int read_neighbours(struct store *s, uint32_t symbol, struct arena *memory, struct neighbour **ret,
			   size_t *ret_count)
{
	_cleanup_(query_freep) struct query *q = NULL;
	size_t capacity = 0;
	int r = query_new(s, "SELECT start, name FROM symbol WHERE module = (SELECT module FROM symbol WHERE id = :symbol) "
		"AND start > 0 ORDER BY start", &q);

	*ret = NULL;
	*ret_count = 0;
	if (r < 0)
		return r;
	query_bind_int(q, ":symbol", symbol);
	while ((r = query_next(q)) > 0) {
		const char *name = query_text(q, 1);

		GROW(*ret, *ret_count, capacity);
		(*ret)[(*ret_count)++] = (struct neighbour){(uint64_t)query_int(q, 0),
							    arena_strndup(memory, name, strlen(name))};
	}
	return r;
}

static int by_start(const void *key, const void *element)
{
	uint64_t address = *(const uint64_t *)key, start = ((const struct neighbour *)element)->start;

	return address < start ? -1 : address > start;
}

static int name_targets(struct store *s, const struct function *f, struct annotation *a)
{
	_cleanup_free_ struct neighbour *neighbours = NULL;
	size_t count;
	int r = read_neighbours(s, f->symbol, a->memory, &neighbours, &count);

	for (size_t i = 0; r >= 0 && i < a->count; i++) {
		struct annotated_target *t = &a->rows[i].target;

		if (!t->known)
			continue;
		t->inside = t->address - a->address < a->size;
		struct annotated *row = t->inside ? row_at(a, t->address) : NULL;
		const struct neighbour *n = t->inside || !count ? NULL :
			bsearch(&t->address, neighbours, count, sizeof(*neighbours), by_start);
		if (row && row->address == t->address)
			row->jumped_to = true;
		if (n)
			t->name = n->name;
	}
	return r;
}

static int no_code(struct store *s, const struct function *f)
{
	if (strcmp(f->kind, "elf") && strcmp(f->kind, "vdso"))
		return failx(-ENODATA, "%s: the code of %s is not in it: %s code is not kept", store_path(s), f->name,
			     f->kind);
	return failx(-ENODATA, "%s: the code of %s is not in it: that takes three CPU samples in the function itself "
		     "(more of a large one), and here are %llu", store_path(s), f->name, (unsigned long long)f->samples);
}

/* The blob is copied: it outlives the query. */
static int read_code(struct store *s, const struct function *f, struct annotation *a, const uint8_t **ret_code)
{
	_cleanup_(query_freep) struct query *q = NULL;
	size_t len = 0;
	int r = query_new(s, "SELECT address, bytes FROM code WHERE symbol = :symbol", &q);

	if (r < 0)
		return r;
	query_bind_int(q, ":symbol", f->symbol);
	if ((r = query_next(q)) < 0)
		return r;
	const void *bytes = r ? query_blob(q, 1, &len) : NULL;
	if (!len)
		return no_code(s, f);
	if (len > CODE_MAX)
		return failx(-EBADMSG, "%s: the code of %s is %zu bytes long, too much for one function", store_path(s),
			     f->name, len);
	uint8_t *copy = arena_alloc(a->memory, len);
	memcpy(copy, bytes, len);
	a->address = (uint64_t)query_int(q, 0);
	a->size = len;
	*ret_code = copy;
	return 0;
}

int annotation_new(struct store *s, const struct annotate_options *o, struct annotation **ret_annotation)
{
	_cleanup_(annotation_freep) struct annotation *a = xcalloc(1, sizeof(*a));
	char machine[64];
	struct function f;
	const uint8_t *code = NULL;
	int r;

	a->memory = arena_new();
	if ((r = function_find(s, o, a->memory, &f)) < 0 || (r = read_code(s, &f, a, &code)) < 0)
		return r;
	store_meta_text(s, "machine", machine, sizeof(machine));
	a->machine = arena_strndup(a->memory, machine, strlen(machine));
	a->name = f.name;
	a->module = f.path;
	a->file = f.file;
	a->samples = f.samples;
	a->ns = f.ns;
	if ((r = disassemble(a, code, a->size, o->intel)) < 0 || (r = read_samples(s, &f, a)) < 0 ||
	    (r = read_total(s, a)) < 0 || (r = name_targets(s, &f, a)) < 0)
		return r;
	*ret_annotation = a;
	a = NULL;
	return 0;
}

void annotation_free(struct annotation *a)
{
	if (!a)
		return;
	free(a->rows);
	arena_free(a->memory);
	free(a);
}
