// SPDX-License-Identifier: BSD-2-Clause
#include "table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "hash.h"
#include "mem.h"

void table_begin(struct table *t, const struct column *columns)
{
	if (t->columns != columns)
		t->sort = 0;
	t->columns = columns;
	t->count = 0;
	arena_free(t->strings);
	t->strings = arena_new();
	map_free(t->by_key);
	t->by_key = map_new();
}

struct record *table_append(struct table *t)
{
	GROW(t->records, t->count, t->capacity);
	t->records[t->count] = (struct record){0};
	return &t->records[t->count++];
}

struct record *table_get(struct table *t, uint64_t key)
{
	struct record *r;
	uint64_t index;

	if (map_get(t->by_key, key, &index))
		return &t->records[index];
	map_put(t->by_key, key, t->count);
	r = table_append(t);
	r->key = key;
	return r;
}

void *table_alloc(struct table *t, size_t size)
{
	return arena_alloc(t->strings, size);
}

const char *table_text(struct table *t, const char *format, ...)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	return arena_strndup(t->strings, text.data, text.len);
}

int compare_numbers(double x, double y, bool reverse)
{
	if (isnan(x) || isnan(y))
		return !!isnan(x) - !!isnan(y);
	return reverse ? (y > x) - (y < x) : (x > y) - (x < y);
}

/* Ties keep an order of their own, so that rows do not dance. */
static int compare(const void *a, const void *b, void *arg)
{
	const struct table *t = arg;
	const struct column *column = &t->columns[t->sort];
	const struct record *x = &t->records[*(const uint32_t *)a], *y = &t->records[*(const uint32_t *)b];
	bool reverse = column->ascending == t->inverted;
	int c;

	if (column->kind == COLUMN_TEXT)
		c = strcmp(x->text[column->field], y->text[column->field]) * (reverse ? -1 : 1);
	else
		c = compare_numbers(x->number[column->field], y->number[column->field], reverse);
	if (c)
		return c;
	return (x->key > y->key) - (x->key < y->key);
}

static void find_held(struct table *t)
{
	for (uint32_t i = 0; t->held && i < t->shown; i++)
		if (t->records[t->order[i]].key == t->held) {
			t->selected = i;
			return;
		}
	if (t->selected >= t->shown)
		t->selected = t->shown ? t->shown - 1 : 0;
}

static bool has_text(const struct record *r, const char *text)
{
	for (int i = 0; i < RECORD_TEXTS; i++)
		if (strcasestr(r->text[i], text))
			return true;
	return false;
}

static bool is_left_out(const struct table *t, const struct record *r)
{
	return (t->filter[0] && !has_text(r, t->filter)) || (t->only && strcmp(r->text[t->only - 1], t->only_text));
}

void table_end(struct table *t)
{
	t->order = xrealloc(t->order, (t->count + 1) * sizeof(*t->order));
	t->shown = 0;
	for (uint32_t i = 0; i < t->count; i++) {
		for (int k = 0; k < RECORD_TEXTS; k++)
			if (!t->records[i].text[k])
				t->records[i].text[k] = "";
		if (!is_left_out(t, &t->records[i]))
			t->order[t->shown++] = i;
	}
	if (t->shown && !t->ordered)
		qsort_r(t->order, t->shown, sizeof(*t->order), compare, t);
	find_held(t);
}

void table_done(struct table *t)
{
	free(t->records);
	free(t->order);
	arena_free(t->strings);
	map_free(t->by_key);
}

const struct record *table_selected(const struct table *t)
{
	return t->selected < t->shown ? &t->records[t->order[t->selected]] : NULL;
}

bool table_shows(const struct table *t, unsigned mode)
{
	unsigned modes = t->columns ? t->columns[t->sort].modes : 0;

	return t->columns && (!modes || modes & mode);
}

static bool is_shown(const struct table *t, const struct column *c)
{
	return !c->modes || c->modes & t->mode;
}

static void place_columns(struct table *t, unsigned width)
{
	unsigned at = 0;

	for (int i = 0; i < COLUMNS_MOST && t->columns[i].title; i++) {
		const struct column *c = &t->columns[i];
		unsigned cells = width >= COLUMNS_WIDE && c->wide ? c->wide : c->width;

		t->places[i] = (struct area){0};
		if (width < c->from || !is_shown(t, c) || at >= width)
			continue;
		if (!cells)
			cells = width - at;
		t->places[i] = (struct area){.column = at, .columns = cells, .rows = 1};
		at += cells + 1;
	}
}

bool table_is_match(const struct table *t, const struct record *r)
{
	return t->search[0] && has_text(r, t->search);
}

static void draw_head(const struct table *t, struct grid *g, const struct area *a)
{
	grid_fill(g, a->row, a->column, a->columns, STYLE_HEADER, " ");
	for (int i = 0; t->columns[i].title; i++) {
		const struct area *place = &t->places[i];
		bool sorted = i == t->sort && !t->ordered;
		enum style style = sorted ? STYLE_SORTED : STYLE_HEADER;
		unsigned column = a->column + place->column;

		if (!place->columns)
			continue;
		if (t->columns[i].kind == COLUMN_NUMBER)
			grid_put_right(g, a->row, column, place->columns, style, t->columns[i].title);
		else
			grid_put(g, a->row, column, place->columns, style, t->columns[i].title);
		/* Without colours, too, it is to be seen which column gives the order. */
		if (sorted && place->column + place->columns < a->columns)
			grid_put(g, a->row, column + place->columns, 1, style, t->columns[i].ascending != t->inverted ? "▴" : "▾");
	}
}

static void draw_states(const struct record *r, struct grid *g, const struct area *a)
{
	struct bar_part parts[STATES];
	double total = r->times ? (double)state_total(r->times) : 0;

	for (int i = 0; total > 0 && i < STATES; i++)
		parts[i] = (struct bar_part){(double)r->times->ns[i] / total, state_kinds[i].glyph, state_kinds[i].style};
	if (total > 0)
		bar_draw(g, a->row, a->column, a->columns, parts, STATES);
}

static enum style number_style(const struct column *c, double value)
{
	if (isnan(value))
		return STYLE_DIM;
	if (c->critical > 0 && value >= c->critical)
		return STYLE_CRITICAL;
	return c->warning > 0 && value >= c->warning ? STYLE_WARNING : STYLE_NORMAL;
}

static void draw_number(const struct record *r, const struct column *c, struct grid *g, const struct area *a)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	enum style style = number_style(c, r->number[c->field]);

	format_number(&text, c->unit, r->number[c->field]);
	grid_put_right(g, a->row, a->column, a->columns, r->dim && style == STYLE_NORMAL ? STYLE_DIM : style, text.data);
}

static void draw_text(const struct record *r, const struct column *c, struct grid *g, const struct area *a)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	for (uint32_t i = 1; c->tree && i < r->depth; i++)
		buf_addstr(&text, r->branch >> i & 1 ? "│ " : "  ");
	if (c->tree && r->depth)
		buf_addstr(&text, r->branch >> r->depth & 1 ? "├─" : "└─");
	buf_addstr(&text, r->text[c->field]);
	grid_put(g, a->row, a->column, a->columns, r->style ? r->style : r->dim ? STYLE_DIM : STYLE_NORMAL, text.data);
}

static void draw_share(const struct record *r, const struct column *c, struct grid *g, const struct area *a)
{
	double share = r->number[c->field] / 100;

	if (!isnan(share))
		bar_draw(g, a->row, a->column, a->columns, &(struct bar_part){share > 1 ? 1 : share, "█", STYLE_RUNNING}, 1);
}

static void draw_record(const struct table *t, uint32_t place, struct grid *g, const struct area *a, unsigned line)
{
	const struct record *r = &t->records[t->order[place]];

	for (int i = 0; t->columns[i].title; i++) {
		const struct column *c = &t->columns[i];
		struct area cell = t->places[i];

		cell.row = line;
		cell.column += a->column;
		if (!cell.columns)
			continue;
		switch (c->kind) {
		case COLUMN_NUMBER: draw_number(r, c, g, &cell); break;
		case COLUMN_TEXT: draw_text(r, c, g, &cell); break;
		case COLUMN_STATES: draw_states(r, g, &cell); break;
		case COLUMN_SHARE: draw_share(r, c, g, &cell); break;
		}
		if (c->kind == COLUMN_TEXT && !c->width && table_is_match(t, r))
			grid_restyle(g, line, cell.column, cell.columns, STYLE_MATCH);
	}
	if (place == t->selected && !t->passive)
		grid_restyle(g, line, a->column, a->columns, STYLE_SELECTED);
}

static void draw_typing(const struct table *t, struct grid *g, const struct area *a)
{
	bool filter = t->typing == TYPING_FILTER;
	unsigned used = grid_put(g, a->row, a->column, a->columns, STYLE_KEY, filter ? "Filter: " : "Search: ");

	used += grid_put(g, a->row, a->column + used, a->columns - used, STYLE_STRONG, filter ? t->filter : t->search);
	grid_put(g, a->row, a->column + used, 1, STYLE_SELECTED, " ");
}

static void draw_filter(const struct table *t, struct grid *g, const struct area *a)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	if (t->only)
		buf_addf(&text, "%s  ", *t->only_text ? t->only_text : "(nobody)");
	if (t->filter[0])
		buf_addf(&text, "\"%s\"  ", t->filter);
	buf_addf(&text, "(%u of %u; Escape: all)", t->shown, t->count);
	unsigned used = grid_put(g, a->row, a->column, a->columns, STYLE_KEY, "Filter: ");
	grid_put(g, a->row, a->column + used, a->columns - used, STYLE_STRONG, text.data);
}

/* The last line says what is typed, or what leaves rows out. */
static bool has_last_line(const struct table *t, const struct area *a)
{
	return (t->typing || t->filter[0] || t->only) && a->rows > 1;
}

static void draw_last_line(const struct table *t, struct grid *g, const struct area *a)
{
	struct area line = {a->row + a->rows - 1, a->column, 1, a->columns};

	grid_fill(g, line.row, line.column, line.columns, STYLE_NORMAL, " ");
	(t->typing ? draw_typing : draw_filter)(t, g, &line);
}

static void scroll(struct table *t)
{
	if (t->selected < t->top)
		t->top = t->selected;
	if (t->page && t->selected >= t->top + t->page)
		t->top = t->selected - t->page + 1;
	if (t->shown <= t->page)
		t->top = 0;
	else if (t->top > t->shown - t->page)
		t->top = t->shown - t->page;
}

void table_draw(struct table *t, struct grid *g, const struct area *a)
{
	if (!a->rows || !t->columns)
		return;
	t->page = a->rows - 1 - has_last_line(t, a);
	t->head_row = a->row;
	scroll(t);
	place_columns(t, a->columns);
	draw_head(t, g, a);
	for (uint32_t i = 0; i < t->page && t->top + i < t->shown; i++)
		draw_record(t, t->top + i, g, a, a->row + 1 + i);
	if (has_last_line(t, a))
		draw_last_line(t, g, a);
}
