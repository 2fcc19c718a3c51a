// SPDX-License-Identifier: BSD-2-Clause
#include "report_view.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "amount.h"
#include "escape.h"
#include "fail.h"
#include "json_text.h"
#include "listing.h"
#include "mem.h"
#include "view_table.h"

/* What a column's name ends in, and how its values are shown: as an amount of this unit; "%": a percentage; "|": counts in a
 * JSON array, drawn as bars. */
static const struct suffix {
	const char *end, *unit;
} suffixes[] = {{"_ns", "ns"}, {"_bytes", "bytes"}, {"_percent", "%"}, {"histogram", "|"}};

enum { LEAST_NAME = 16 }; /* columns for what a row is about, though it be wider than the terminal then */

static const struct suffix *suffix_of(const char *column)
{
	size_t length = strlen(column);

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t n = strlen(suffixes[i].end);

		if (length >= n && !strcmp(column + length - n, suffixes[i].end))
			return &suffixes[i];
	}
	return NULL;
}

/* "round_trip_p50_ns" -> "round trip p50", "calls_s" -> "calls/s" */
static char *heading_of(const char *column)
{
	const struct suffix *suffix = suffix_of(column);
	char *text = xstrndup(column, strlen(column) - (suffix && *suffix->end == '_' ? strlen(suffix->end) : 0));

	for (char *c = text; *c; c++)
		if (*c == '_')
			*c = strcmp(c, "_s") ? ' ' : '/';
	return text;
}

/* "[0,3,96]" -> " ▁█": what is there at all can be seen. */
static void draw_bars(struct buf *out, const char *counts)
{
	static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	json_t *array = json_loads(counts, 0, NULL), *value;
	double most = 0;
	size_t i;

	json_array_foreach(array, i, value)
		most = fmax(most, json_number_value(value));
	json_array_foreach(array, i, value)
		buf_addstr(out, bars[most > 0 ? (int)ceil(8 * fmax(json_number_value(value), 0) / most) : 0]);
	json_decref(array);
}

static void add_number(struct buf *out, const struct view_table_cell *cell, const struct suffix *suffix)
{
	double value = cell->type == QUERY_INTEGER ? (double)cell->integer : cell->real;

	if (suffix && !value) {
		buf_addstr(out, "-");
	} else if (suffix && *suffix->unit == '%') {
		buf_addf(out, "%.1f %%", value);
	} else if (suffix) {
		buf_addstr(out, value < 0 ? "-" : "");
		amount_add(out, fabs(value), suffix->unit);
	} else if (cell->type == QUERY_INTEGER) {
		buf_addf(out, "%lld", (long long)cell->integer);
	} else {
		buf_addf(out, "%.2f", value);
	}
}

static void add_cell(struct listing *list, const struct view_table_cell *cell, const struct suffix *suffix)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	if (cell->type == QUERY_TEXT && suffix && *suffix->unit == '|')
		draw_bars(&text, cell->text);
	else if (cell->type == QUERY_TEXT)
		buf_addstr(&text, cell->text);
	else if (cell->type != QUERY_NULL)
		add_number(&text, cell, suffix);
	listing_add(list, text.data);
}

static bool is_text(const struct view_table *t, size_t column)
{
	for (size_t row = 0; row < t->rows; row++) {
		enum query_type type = t->cells[row * t->column_count + column].type;

		if (type != QUERY_NULL)
			return type == QUERY_TEXT;
	}
	return false;
}

static void add_reason(const struct view_table *t, struct buf *out)
{
	buf_addstr(out, "  ");
	if (t->reason)
		escape_terminal(out, t->reason, strlen(t->reason));
	else
		buf_addstr(out, "none");
	buf_addch(out, '\n');
}

/* A column with nothing in it takes the room of the others. */
static bool is_empty(const struct view_table *t, size_t column)
{
	for (size_t row = 0; row < t->rows; row++)
		if (t->cells[row * t->column_count + column].type != QUERY_NULL)
			return false;
	return column + 1 < t->column_count;
}

/* Who and what a row is about: texts and numbers of processes, behind its figures. */
static bool is_figure(const struct view_table *t, size_t column)
{
	static const char *const numbers[] = {"pid", "tid", "processes"};

	if (is_empty(t, column))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(t->columns[column], numbers[i]))
			return false;
	return !is_text(t, column) || suffix_of(t->columns[column]);
}

static size_t first_behind_figures(const struct view_table *t)
{
	size_t first = t->column_count;

	while (first && (first == t->column_count || !is_figure(t, first - 1)))
		first--;
	return first;
}

static void add_table(const struct view_table *t, const struct report_style *style, struct buf *out)
{
	_cleanup_free_ struct listing_column *columns = xcalloc(t->column_count + 1, sizeof(*columns));
	_cleanup_free_ size_t *shown = xcalloc(t->column_count, sizeof(*shown));
	char **headings = xcalloc(t->column_count, sizeof(*headings));
	size_t count = 0, repeated = first_behind_figures(t);

	for (size_t i = 0; i < t->column_count; i++) {
		bool last = i + 1 == t->column_count;

		if (is_empty(t, i))
			continue;
		columns[count] = (struct listing_column){
			.title = headings[count] = heading_of(t->columns[i]), .left = is_text(t, i) || last,
			.most = !last && is_text(t, i) ? 16 : 0, .takes_rest = last, .least = LEAST_NAME,
			.repeats = i >= repeated};
		shown[count++] = i;
	}
	struct listing *list = listing_new(columns);
	for (size_t i = 0; i < t->rows * count; i++) {
		size_t column = shown[i % count];

		add_cell(list, &t->cells[i / count * t->column_count + column], suffix_of(t->columns[column]));
	}
	report_heading(out, style, t->title);
	if (t->rows)
		listing_print(list, style->width, style->colour, out);
	else
		add_reason(t, out);
	report_rest(out, t->rows, t->all_rows);
	listing_free(list);
	for (size_t i = 0; i < count; i++)
		free(headings[i]);
	free(headings);
}

static json_t *pack_cell(const struct view_table_cell *cell, const struct suffix *suffix)
{
	switch (cell->type) {
	case QUERY_INTEGER:
		return json_integer(cell->integer);
	case QUERY_REAL:
		return json_real(cell->real);
	case QUERY_TEXT:
		if (suffix && *suffix->unit == '|') {
			json_t *counts = json_loads(cell->text, 0, NULL);

			return counts ? counts : json_null();
		}
		return json_text(cell->text);
	case QUERY_NULL:
		break;
	}
	return json_null();
}

static json_t *pack_table(const struct view_table *t)
{
	json_t *rows = json_array();

	for (size_t row = 0; row < t->rows; row++) {
		json_t *object = json_object();

		for (size_t i = 0; i < t->column_count; i++)
			json_object_set_new(object, t->columns[i], pack_cell(&t->cells[row * t->column_count + i],
									     suffix_of(t->columns[i])));
		json_array_append_new(rows, object);
	}
	return rows;
}

static int unknown(const char *view)
{
	_cleanup_(buf_done) struct buf names = BUF_INIT;
	const struct view_table_source *last = NULL;

	for (const struct view_table_source *source = view_table_sources; source->view; last = source++)
		if (!last || strcmp(last->view, source->view))
			buf_addf(&names, "%s%s", last ? ", " : "", source->view);
	return failx(-EINVAL, "there is no view '%s', but: %s", view, names.data);
}

static int each_table(struct store *s, const char *view, size_t limit, void (*use)(const struct view_table *t, void *arg), void *arg)
{
	bool found = false;

	for (const struct view_table_source *source = view_table_sources; source->view; source++) {
		_cleanup_(view_table_freep) struct view_table *t = NULL;
		int r;

		if (strcmp(source->view, view))
			continue;
		found = true;
		r = view_table_new(s, source, limit, &t);
		if (r < 0)
			return r;
		use(t, arg);
	}
	return found ? 0 : unknown(view);
}

struct text_use {
	const struct report_style *style;
	struct buf *out;
};

static void use_as_text(const struct view_table *t, void *arg)
{
	const struct text_use *use = arg;

	add_table(t, use->style, use->out);
}

int report_view_text(struct store *s, const char *view, const struct report_style *style, struct buf *out)
{
	return each_table(s, view, style->limit, use_as_text, &(struct text_use){style, out});
}

struct json_use {
	json_t *tables, *reasons;
};

static void use_as_json(const struct view_table *t, void *arg)
{
	const struct json_use *use = arg;

	json_object_set_new(use->tables, t->source->name, pack_table(t));
	if (t->reason)
		json_object_set_new(use->reasons, t->source->name, json_string(t->reason));
}

int report_view_json(struct store *s, const char *view, size_t limit, struct buf *out)
{
	struct json_use use = {json_object(), json_object()};
	json_t *root = json_pack("{ss ss so so}", "schema", "perfscope.view/1", "view", view, "tables", use.tables,
				 "empty", use.reasons);
	int r = each_table(s, view, limit, use_as_json, &use);

	if (r >= 0) {
		_cleanup_free_ char *dumped = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));

		buf_addf(out, "%s\n", dumped);
	}
	json_decref(root);
	return r;
}
