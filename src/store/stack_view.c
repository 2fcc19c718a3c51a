// SPDX-License-Identifier: BSD-2-Clause
#include "stack_view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "fail.h"
#include "intern.h"
#include "mem.h"
#include "rows_table.h"
#include "search.h"
#include "store_internal.h"
#include "store_query.h"
#include "store_write.h"

/* Ids are dense where rows are written one after the other; modules get theirs before they are used. */
#define SPARSE_BY 4
#define MOST_MODULES (1 << 22)
/* Far above what the capture takes, low enough that no file can make walks slow. */
#define DEEPEST 4096
#define MOST_LOOKS 8 /* for a name that comes later */

struct module {
	const char *path; /* NULL: there is no such module */
	enum code_kind kind;
};

struct symbol_row {
	const char *name, *file;
	uint32_t module; /* 0: there is no such symbol */
};

struct frame_run {
	uint32_t first, count; /* in frames; count 0: there is no such frame */
};

struct stack_node {
	uint32_t parent, frame; /* frame 0: there is no such stack */
	uint32_t depth;
};

/* A frame whose name was not known yet when it was read. */
struct unnamed {
	uint32_t frame, asked;
};

struct stack_view {
	struct store *store;
	struct arena *strings;
	struct intern *functions;
	struct module *modules;
	struct symbol_row *symbols;
	struct frame_run *runs;
	struct stack_frame *frames;
	struct stack_node *stacks; /* by place */
	uint32_t first_stack;      /* from this id on each has a place, whether it is there or not; */
	uint32_t *old_stacks;      /* before them come these few that are left, in order */
	uint32_t old_count;
	const struct stack_frame **path;
	uint8_t *notes; /* by function */
	uint32_t note_count;
	uint32_t module_end, symbol_end, run_end, stack_end; /* behind the highest id */
	uint32_t frame_count, frame_capacity;
	struct unnamed *unnamed;
	uint32_t unnamed_count, unnamed_capacity;
};

static const char *const kind_names[CODE_KINDS] = {"kernel", "elf", "vdso", "jit", "python", "unknown"};

static int wrong(const struct stack_view *v, const char *what, int64_t id, const char *reason)
{
	return failx(-EBADMSG, "%s: damaged: %s %" PRId64 " %s", store_path(v->store), what, id, reason);
}

/* The rows of a table behind those that are known already. */
static int new_rows(struct stack_view *v, const char *sql, uint32_t end, struct query **ret_query)
{
	int r = query_new(v->store, sql, ret_query);

	if (r >= 0)
		query_bind_int(*ret_query, ":end", end ? (int64_t)end : INT64_MIN);
	return r;
}

static int check_ids(struct stack_view *v, const char *table, int64_t low, int64_t high)
{
	if (low < 1)
		return wrong(v, table, low, "is no valid id");
	if (high >= UINT32_MAX / 2)
		return wrong(v, table, high, "is too large");
	return 0;
}

/* The new end of a table's ids, and how many rows there are. */
static int last_id(struct stack_view *v, const char *table, uint32_t old, uint32_t *ret_end, int64_t *ret_rows)
{
	_cleanup_free_ char *sql = xasprintf("SELECT min(id), max(id), count(*) FROM main.%s WHERE id >= :end", table);
	_cleanup_(query_freep) struct query *q = NULL;
	int r = new_rows(v, sql, old, &q);

	if (r < 0 || (r = query_next(q)) < 0)
		return r;
	int64_t low = query_int(q, 0), high = query_int(q, 1);
	*ret_rows = query_int(q, 2);
	*ret_end = old ? old : 1;
	if (!*ret_rows)
		return 0;
	*ret_end = (uint32_t)high + 1;
	return check_ids(v, table, low, high);
}

/* As far as it can be believed: there is room for all ids below it. */
static int id_end(struct stack_view *v, const char *table, uint32_t old, uint32_t *ret_end)
{
	int64_t rows;
	int r = last_id(v, table, old, ret_end, &rows);

	if (r >= 0 && *ret_end > MOST_MODULES && (*ret_end - 1 - old) / SPARSE_BY > rows)
		return wrong(v, table, *ret_end - 1, "is far above the number of rows");
	return r;
}

/* Room for ids up to the new end, zeroed. */
#define EXTEND(items, old, end)                                                                    \
	do {                                                                                       \
		if ((end) > (old)) {                                                               \
			(items) = xrealloc((items), (size_t)(end) * sizeof(*(items)));             \
			memset((items) + (old), 0, ((size_t)(end) - (old)) * sizeof(*(items)));    \
		}                                                                                  \
	} while (0)

static const char *keep(struct stack_view *v, const char *text)
{
	return arena_strndup(v->strings, text, strlen(text));
}

static enum code_kind kind_of(const char *name)
{
	enum code_kind kind = 0;

	while (kind < CODE_UNKNOWN && strcmp(kind_names[kind], name))
		kind++;
	return kind;
}

static int load_modules(struct stack_view *v)
{
	_cleanup_(query_freep) struct query *q = NULL;
	uint32_t end;
	int r = id_end(v, "module", v->module_end, &end);

	/* All of them: the kind and path of one may become known after its id. */
	if (r < 0 || (r = query_new(v->store, "SELECT id, kind, path FROM main.module", &q)) < 0)
		return r;
	EXTEND(v->modules, v->module_end, end);
	v->module_end = end;
	while ((r = query_next(q)) > 0) {
		struct module *module = &v->modules[query_int(q, 0)];

		module->kind = kind_of(query_text(q, 1));
		if (!module->path || strcmp(module->path, query_text(q, 2)))
			module->path = keep(v, query_text(q, 2));
	}
	return r;
}

static bool has_module(const struct stack_view *v, int64_t id)
{
	return id > 0 && id < v->module_end && v->modules[id].path;
}

static int load_symbols(struct stack_view *v)
{
	_cleanup_(query_freep) struct query *q = NULL;
	uint32_t end, old = v->symbol_end;
	int r = id_end(v, "symbol", old, &end);

	if (r < 0 || (r = new_rows(v, "SELECT id, module, name, file FROM main.symbol WHERE id >= :end", old, &q)) < 0)
		return r;
	EXTEND(v->symbols, old, end);
	v->symbol_end = end;
	while ((r = query_next(q)) > 0) {
		int64_t module = query_int(q, 1);

		if (!has_module(v, module))
			return wrong(v, "symbol", query_int(q, 0), "belongs to no module");
		v->symbols[query_int(q, 0)] = (struct symbol_row){
			.module = (uint32_t)module, .name = keep(v, query_text(q, 2)),
			.file = query_is_null(q, 3) ? NULL : keep(v, query_text(q, 3))};
	}
	return r;
}

static const struct symbol_row *find_symbol(const struct stack_view *v, int64_t id)
{
	return id > 0 && id < v->symbol_end && v->symbols[id].module ? &v->symbols[id] : NULL;
}

/* "[libfoo.so+0x1234]"; "[kernel+0x...]" where the path is such a word already. */
static const char *unnamed(struct stack_view *v, const char *path, uint64_t address)
{
	const char *slash = strrchr(path, '/'), *base = slash && slash[1] ? slash + 1 : path;
	bool word = base[0] == '[';
	size_t len = strlen(base + word);
	_cleanup_free_ char *text = NULL;

	if (word && len && base[len] == ']')
		len--;
	text = xasprintf("[%.*s+0x%" PRIx64 "]", (int)len, base + word, address);
	return keep(v, text);
}

static uint32_t function_id(struct stack_view *v, uint32_t module, const char *name)
{
	_cleanup_free_ char *key = xasprintf("%u %s", module, name);

	return intern_id(v->functions, key, strlen(key), NULL);
}

static struct stack_frame *add_frame(struct stack_view *v, uint32_t module)
{
	GROW(v->frames, v->frame_count, v->frame_capacity);
	v->frames[v->frame_count] = (struct stack_frame){
		.module = v->modules[module].path, .kind = v->modules[module].kind};
	return &v->frames[v->frame_count++];
}

static void name_frame(struct stack_view *v, struct stack_frame *f, uint32_t symbol, int64_t line)
{
	const struct symbol_row *row = &v->symbols[symbol];

	f->name = row->name;
	f->file = row->file;
	f->line = line > 0 && line < UINT32_MAX ? (uint32_t)line : 0;
	f->symbol = symbol;
	f->function = function_id(v, row->module, row->name);
}

/* The functions inlined at a frame follow it in the run, outermost first. */
static int add_inlined(struct stack_view *v, struct query *inlined, int *more, int64_t frame, uint32_t module)
{
	for (; *more > 0 && query_int(inlined, 0) <= frame; *more = query_next(inlined)) {
		int64_t symbol = query_int(inlined, 1);

		if (query_int(inlined, 0) < frame)
			return wrong(v, "inlined frame", query_int(inlined, 0), "is no frame");
		if (!find_symbol(v, symbol))
			return wrong(v, "inlined frame", frame, "has a symbol that is not there");
		struct stack_frame *f = add_frame(v, module);
		f->inlined = true;
		name_frame(v, f, (uint32_t)symbol, query_int(inlined, 2));
	}
	return *more < 0 ? *more : 0;
}

static int load_frame(struct stack_view *v, struct query *q, struct query *inlined, int *more)
{
	int64_t id = query_int(q, 0), module = query_int(q, 1), symbol = query_int(q, 3);
	uint32_t first = v->frame_count;

	if (!has_module(v, module))
		return wrong(v, "frame", id, "belongs to no module");
	if (symbol && !find_symbol(v, symbol))
		return wrong(v, "frame", id, "has a symbol that is not there");
	struct stack_frame *f = add_frame(v, (uint32_t)module);
	if (symbol) {
		name_frame(v, f, (uint32_t)symbol, query_int(q, 4));
	} else {
		f->name = unnamed(v, f->module, (uint64_t)query_int(q, 2));
		f->function = function_id(v, (uint32_t)module, f->name);
		GROW(v->unnamed, v->unnamed_count, v->unnamed_capacity);
		v->unnamed[v->unnamed_count++] = (struct unnamed){.frame = (uint32_t)id};
	}
	int r = add_inlined(v, inlined, more, id, (uint32_t)module);
	v->runs[id] = (struct frame_run){.first = first, .count = v->frame_count - first};
	return r;
}

static int load_frames(struct stack_view *v)
{
	_cleanup_(query_freep) struct query *q = NULL, *inlined = NULL;
	uint32_t end, old = v->run_end;
	int r = id_end(v, "frame", old, &end), more;

	if (r < 0 ||
	    (r = new_rows(v, "SELECT id, module, address, symbol, line FROM main.frame WHERE id >= :end ORDER BY id", old,
			  &q)) < 0 ||
	    (r = new_rows(v, "SELECT frame, symbol, line FROM main.inlined WHERE frame >= :end ORDER BY frame, depth DESC", old,
			  &inlined)) < 0)
		return r;
	EXTEND(v->runs, old, end);
	v->run_end = end;
	more = query_next(inlined);
	while ((r = query_next(q)) > 0)
		if ((r = load_frame(v, q, inlined, &more)) < 0)
			return r;
	if (more > 0)
		return wrong(v, "inlined frame", query_int(inlined, 0), "is no frame");
	return r < 0 ? r : more;
}

/* 0: it is not there. */
static uint32_t place_of(const struct stack_view *v, uint32_t stack)
{
	uint32_t count;

	if (stack >= v->first_stack)
		return stack < v->stack_end ? 1 + v->old_count + stack - v->first_stack : 0;
	count = (uint32_t)COUNT_UP_TO(v->old_stacks, v->old_count, , stack);
	return count && v->old_stacks[count - 1] == stack ? count : 0;
}

static uint32_t places_below(const struct stack_view *v, uint32_t end)
{
	return 1 + v->old_count + (end > v->first_stack ? end - v->first_stack : 0);
}

static int list_old_stacks(struct stack_view *v, uint32_t first, uint32_t **ret_ids, uint32_t *ret_count)
{
	_cleanup_(query_freep) struct query *q = NULL;
	uint32_t capacity = 0;
	int r = query_new(v->store, "SELECT id FROM main.stack WHERE id > 0 AND id < :first ORDER BY id", &q);

	*ret_ids = NULL;
	*ret_count = 0;
	if (r < 0)
		return r;
	query_bind_int(q, ":first", first);
	while ((r = query_next(q)) > 0) {
		GROW(*ret_ids, *ret_count, capacity);
		(*ret_ids)[(*ret_count)++] = (uint32_t)query_int(q, 0);
	}
	return r;
}

/* Ids go on for ever, what is kept does not: of those below `first` only the ones that are there have a place. */
static int move_first(struct stack_view *v, uint32_t first)
{
	struct stack_view old = *v;
	int r = list_old_stacks(v, first, &v->old_stacks, &v->old_count);

	v->first_stack = first;
	v->stacks = xcalloc(places_below(v, v->stack_end), sizeof(*v->stacks));
	for (uint32_t i = 0; i < v->old_count && old.stacks; i++)
		v->stacks[1 + i] = old.stacks[place_of(&old, v->old_stacks[i])];
	for (uint32_t id = first; id < v->stack_end; id++)
		v->stacks[place_of(v, id)] = old.stacks[place_of(&old, id)];
	free(old.stacks);
	free(old.old_stacks);
	return r;
}

/* A parent has been written before its children, so no chain can turn back on itself. */
static int load_stack(struct stack_view *v, int64_t id, int64_t parent, int64_t frame)
{
	if (frame < 1 || frame >= v->run_end || !v->runs[frame].count)
		return wrong(v, "stack", id, "has a frame that is not there");
	uint32_t above = parent > 0 && parent < id ? place_of(v, (uint32_t)parent) : 0;
	if (parent && !v->stacks[above].frame)
		return wrong(v, "stack", id, "has a parent that is not before it");
	uint64_t depth = (uint64_t)v->stacks[above].depth + v->runs[frame].count;
	if (depth > DEEPEST)
		return wrong(v, "stack", id, "is too deep");
	uint32_t place = place_of(v, (uint32_t)id);
	if (!place)
		return wrong(v, "stack", id, "has no possible number");
	v->stacks[place] = (struct stack_node){
		.parent = (uint32_t)parent, .frame = (uint32_t)frame, .depth = (uint32_t)depth};
	return 0;
}

/* All that are kept in memory, by id. */
static int load_kept_stacks(struct stack_view *v, const struct rows_table *t)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < t->count; i++) {
		const int64_t *row = rows_table_row(t, i);

		r = load_stack(v, row[0], row[1] == ROWS_NULL ? 0 : row[1], row[2]);
	}
	return r;
}

static int load_written_stacks(struct stack_view *v, uint32_t old)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = new_rows(v, "SELECT id, parent, frame FROM main.stack WHERE id >= :end ORDER BY id", old, &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		r = load_stack(v, query_int(q, 0), query_int(q, 1), query_int(q, 2));
	return r;
}

static int last_stack(struct stack_view *v, const struct rows_table *kept, uint32_t *ret_end, int64_t *ret_rows)
{
	if (!kept)
		return last_id(v, "stack", v->stack_end, ret_end, ret_rows);
	*ret_rows = (int64_t)kept->count;
	*ret_end = 1;
	if (!kept->count)
		return 0;
	int64_t high = rows_table_row(kept, kept->count - 1)[0];
	*ret_end = (uint32_t)high + 1;
	return check_ids(v, "stack", rows_table_row(kept, 0)[0], high);
}

static int load_stacks(struct stack_view *v)
{
	uint32_t end, old = v->stack_end, forgotten = store_forgotten_stacks(v->store);
	const struct rows_table *kept = old ? NULL : store_kept_stacks(v->store);
	int64_t rows;
	int r = last_stack(v, kept, &end, &rows);

	/* Where many are gone, places for all ids would be too many. */
	if (!old && end / SPARSE_BY > rows)
		forgotten = end - (uint32_t)rows;
	if (r < 0 || (forgotten >= v->first_stack && (r = move_first(v, forgotten + 1)) < 0))
		return r;
	EXTEND(v->stacks, old ? places_below(v, old) : 0, places_below(v, end));
	v->stack_end = end;
	return kept ? load_kept_stacks(v, kept) : load_written_stacks(v, old);
}

/* Names are looked up beside the capture: some come slices after their frames. */
static int name_late(struct stack_view *v)
{
	_cleanup_(query_freep) struct query *q = NULL;
	uint32_t kept = 0;
	int r = query_new(v->store, "SELECT symbol, line FROM main.frame WHERE id = :id", &q);

	for (uint32_t i = 0; r >= 0 && i < v->unnamed_count; i++) {
		struct unnamed u = v->unnamed[i];
		struct stack_frame *f = &v->frames[v->runs[u.frame].first];

		query_bind_int(q, ":id", u.frame);
		if ((r = query_next(q)) > 0 && find_symbol(v, query_int(q, 0)))
			name_frame(v, f, (uint32_t)query_int(q, 0), query_int(q, 1));
		else if (++u.asked < MOST_LOOKS)
			v->unnamed[kept++] = u;
		query_reset(q);
	}
	v->unnamed_count = kept;
	return r < 0 ? r : 0;
}

int stack_view_follow(struct stack_view *v)
{
	int r;

	if ((r = load_modules(v)) < 0 || (r = load_symbols(v)) < 0 || (r = name_late(v)) < 0 || (r = load_frames(v)) < 0 ||
	    (r = load_stacks(v)) < 0)
		return r;
	return 0;
}

int stack_view_new(struct store *s, struct stack_view **ret_view)
{
	_cleanup_(stack_view_freep) struct stack_view *v = xcalloc(1, sizeof(*v));
	int r;

	v->store = s;
	v->strings = arena_new();
	v->functions = intern_new();
	v->first_stack = 1;
	v->path = xcalloc(DEEPEST, sizeof(*v->path));
	r = stack_view_follow(v);
	if (r < 0)
		return r;
	*ret_view = v;
	v = NULL;
	return 0;
}

int stack_view_kept(struct store *s, struct stack_view **ret_view)
{
	int r = !s->stacks ? stack_view_new(s, &s->stacks) : s->totals ? 0 : stack_view_follow(s->stacks);

	*ret_view = s->stacks;
	return r;
}

void stack_view_free(struct stack_view *v)
{
	if (!v)
		return;
	arena_free(v->strings);
	intern_free(v->functions);
	free(v->modules);
	free(v->symbols);
	free(v->runs);
	free(v->frames);
	free(v->stacks);
	free(v->old_stacks);
	free(v->unnamed);
	free(v->path);
	free(v->notes);
	free(v);
}

const struct stack_frame *const *stack_view_walk(struct stack_view *v, uint32_t stack, size_t *ret_depth)
{
	uint32_t place = place_of(v, stack), at = v->stacks[place].depth;

	*ret_depth = at;
	for (; place; place = place_of(v, v->stacks[place].parent)) {
		const struct frame_run *run = &v->runs[v->stacks[place].frame];

		if (!run->count)
			break;
		at -= run->count;
		for (uint32_t i = 0; i < run->count; i++)
			v->path[at + i] = &v->frames[run->first + i];
	}
	return v->path;
}

uint32_t stack_view_places(const struct stack_view *v)
{
	return places_below(v, v->stack_end);
}

uint32_t stack_view_place(const struct stack_view *v, uint32_t stack)
{
	return place_of(v, stack);
}

uint32_t stack_view_at(const struct stack_view *v, uint32_t place)
{
	if (place <= v->old_count)
		return place ? v->old_stacks[place - 1] : 0;
	return v->first_stack + place - 1 - v->old_count;
}

uint32_t stack_view_parent(const struct stack_view *v, uint32_t stack)
{
	return v->stacks[place_of(v, stack)].parent;
}

const struct stack_frame *stack_view_own(const struct stack_view *v, uint32_t stack, size_t *ret_count)
{
	uint32_t place = place_of(v, stack);
	const struct frame_run *run = place ? &v->runs[v->stacks[place].frame] : NULL;

	*ret_count = run ? run->count : 0;
	return run ? &v->frames[run->first] : NULL;
}

uint32_t stack_view_functions(const struct stack_view *v)
{
	return intern_count(v->functions);
}

uint8_t *stack_view_note(struct stack_view *v, uint32_t function)
{
	uint32_t count = stack_view_functions(v);

	EXTEND(v->notes, v->note_count, count);
	v->note_count = count;
	return &v->notes[function];
}
