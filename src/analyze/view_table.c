// SPDX-License-Identifier: BSD-2-Clause
#include "view_table.h"

#include <string.h>

#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "log.h"
#include "mem.h"
#include "tables.h"

#define X(view, name, sql) extern const char sql[];
TABLES
#undef X

#define X(view, name, sql) {view, name, sql},
const struct view_table_source view_table_sources[] = {TABLES {0}};
#undef X

static const char *keep(struct view_table *t, const char *text)
{
	return arena_strndup(t->memory, text, strlen(text));
}

/* The comment "-- title: ...". */
static const char *read_title(struct view_table *t)
{
	static const char mark[] = "-- title: ";
	const char *text = strstr(t->source->sql, mark);

	if (!text)
		return t->source->name;
	text += sizeof(mark) - 1;
	return arena_strndup(t->memory, text, strcspn(text, "\n"));
}

/* What "-- empty: SELECT ..." and the lines of comment that go on from there say. */
static int read_reason(struct view_table *t, struct store *s)
{
	static const char mark[] = "-- empty: ", more[] = "\n--    ";
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	_cleanup_(query_freep) struct query *q = NULL;
	const char *text = strstr(t->source->sql, mark);
	int r;

	if (!text)
		return 0;
	text += sizeof(mark) - 1;
	for (;;) {
		size_t length = strcspn(text, "\n");

		buf_add(&sql, text, length);
		text += length;
		if (strncmp(text, more, sizeof(more) - 1))
			break;
		buf_addch(&sql, ' ');
		text += sizeof(more) - 1;
	}
	r = query_new(s, sql.data, &q);
	if (r < 0)
		return r;
	r = query_next(q);
	if (r > 0 && query_type(q, 0) == QUERY_TEXT)
		t->reason = keep(t, query_text(q, 0));
	return r < 0 ? r : 0;
}

static struct view_table_cell read_cell(struct view_table *t, struct query *q, int column)
{
	struct view_table_cell cell = {.type = query_type(q, column), .text = ""};

	if (cell.type == QUERY_TEXT)
		cell.text = keep(t, query_text(q, column));
	else if (cell.type == QUERY_REAL)
		cell.real = query_real(q, column);
	else
		cell.integer = query_int(q, column);
	return cell;
}

int view_table_new(struct store *s, const struct view_table_source *source, size_t limit, struct view_table **ret_table)
{
	_cleanup_(view_table_freep) struct view_table *t = xcalloc(1, sizeof(*t));
	_cleanup_(query_freep) struct query *q = NULL;
	uint64_t start_ns = clock_mono_ns();
	size_t capacity = 0;
	int r = strstr(source->sql, "stack_speaker") ? store_keep_speakers(s) : 0;

	if (r < 0 || (r = query_new(s, source->sql, &q)) < 0)
		return r;
	t->memory = arena_new();
	t->source = source;
	t->title = read_title(t);
	t->column_count = (size_t)query_columns(q);
	t->columns = arena_alloc(t->memory, t->column_count * sizeof(*t->columns));
	for (size_t i = 0; i < t->column_count; i++)
		t->columns[i] = keep(t, query_column_name(q, (int)i));
	for (; (r = query_next(q)) > 0; t->all_rows++) {
		for (size_t i = 0; t->all_rows < limit && i < t->column_count; i++) {
			size_t at = t->all_rows * t->column_count + i;

			GROW(t->cells, at, capacity);
			t->cells[at] = read_cell(t, q, (int)i);
		}
	}
	if (r < 0)
		return r;
	t->rows = t->all_rows < limit ? t->all_rows : limit;
	r = t->all_rows ? 0 : read_reason(t, s);
	if (r < 0)
		return r;
	log_debug("views/%s.%s.sql: asked in %.1f ms", source->view, source->name, (double)(clock_mono_ns() - start_ns) / 1e6);
	*ret_table = t;
	t = NULL;
	return 0;
}

void view_table_free(struct view_table *t)
{
	if (!t)
		return;
	free(t->cells);
	arena_free(t->memory);
	free(t);
}
