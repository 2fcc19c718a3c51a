// SPDX-License-Identifier: BSD-2-Clause
#include "table_screen.h"

#include <string.h>

#include "mem.h"
#include "window.h"

const struct key_help table_tabs_keys[] = {{"Tab", "Table", "the next of its tables"}, SCROLL_KEY, TABLE_KEYS, {0}};

enum { DETAIL_FROM = 12, DETAIL_STEP = 3 };

static unsigned view_count(const struct table_screen *s)
{
	unsigned count = 0;

	while (s->views[count].name)
		count++;
	return count;
}

void table_screen_rewind(void *state)
{
	struct table_state *s = state;

	s->table.selected = s->table.top = s->detail_top = 0;
	s->table.held = 0;
}

static void show_view(struct table_state *s, const struct table_view *view)
{
	const struct table_view *before = s->view;

	s->view = view;
	table_screen_rewind(s);
	s->table.typing = TYPING_NOTHING;
	if (before && before->columns == view->columns && table_shows(&s->table, view->mode))
		return;
	s->table.inverted = false;
	s->table.filter[0] = 0;
	s->table.only = 0;
	s->table.columns = NULL;
}

bool table_screen_has(const struct screen *screen, const char *view)
{
	for (const struct table_view *v = screen->table ? screen->table->views : NULL; v && v->name; v++)
		if (!strcmp(v->name, view))
			return true;
	return false;
}

void table_screen_show(void *state, const char *view)
{
	struct table_state *s = state;

	for (const struct table_view *v = s->screen->views; v->name; v++)
		if (!strcmp(v->name, view) && v != s->view)
			show_view(s, v);
}

const char *table_screen_shown(const void *state)
{
	return ((const struct table_state *)state)->view->name;
}

int table_screen_open(const struct screen_context *c, const struct screen *screen, void *state)
{
	struct table_state *s = state;

	s->screen = screen->table;
	show_view(s, s->screen->views);
	return 0;
}

void table_screen_update(const struct screen_context *c, void *state)
{
	struct table_state *s = state;
	bool fresh = !s->table.columns;

	s->table.mode = s->view->mode;
	s->table.ordered = s->flags & TREES;
	table_begin(&s->table, s->view->columns);
	if (fresh)
		s->table.sort = s->view->sort;
	s->view->fill(c, &s->table, s->flags);
	table_end(&s->table);
}

static bool has_tabs(const struct table_state *s)
{
	return view_count(s->screen) > 1 && !s->screen->no_tabs;
}

/* A blank before and behind each, and one more between two where there is room for all of them. */
static unsigned tab_width(const struct table_view *v, unsigned gap)
{
	return (unsigned)strlen(v->name) + 2 + gap;
}

static unsigned tab_gap(const struct table_state *s, unsigned columns)
{
	unsigned width = 0;

	for (const struct table_view *v = s->screen->views; v->name; v++)
		width += tab_width(v, 1);
	return width <= columns + 1;
}

/* The first tab that is drawn: so that the one that is shown fits. */
static const struct table_view *first_tab(const struct table_state *s, unsigned columns)
{
	const struct table_view *first = s->view;
	unsigned gap = tab_gap(s, columns);

	for (unsigned width = tab_width(first, gap); first > s->screen->views; first--)
		if ((width += tab_width(first - 1, gap)) > columns)
			break;
	return first;
}

static void draw_tabs(struct table_state *s, struct grid *g, const struct area *a)
{
	unsigned at = 0;

	s->gap = tab_gap(s, a->columns);
	s->tabs_row = a->row;
	s->tabs = first_tab(s, a->columns);
	for (const struct table_view *v = s->tabs; v->name && at < a->columns; v++) {
		grid_putf(g, a->row, a->column + at, a->columns - at, v == s->view ? STYLE_SORTED : STYLE_DIM, " %s ", v->name);
		at += tab_width(v, s->gap);
	}
}

static void make_detail(const struct screen_context *c, struct table_state *s, unsigned width)
{
	const struct record *r = table_selected(&s->table);

	lines_reset(&s->detail);
	if (r && s->view->detail)
		s->view->detail(c, r, width, &s->detail);
}

/* What is left below a table that takes no more than it needs, but at least half. */
static unsigned detail_rows(const struct table_state *s, unsigned rows)
{
	unsigned table = s->table.shown + 1, share = s->screen->detail_first ? rows / 3 : rows / 2;

	if (!s->detail.count || rows < DETAIL_FROM)
		return 0;
	if (table < share)
		share = table < 3 ? 3 : table;
	if (rows - share > s->detail.count + 1)
		share = rows - s->detail.count - 1;
	return rows - share;
}

static void draw_empty(const struct screen_context *c, const struct table_state *s, struct grid *g, const struct area *a)
{
	_cleanup_(lines_done) struct lines l = {0};

	lines_reset(&l);
	lines_add_folded(&l, STYLE_DIM, 0, a->columns, !window_ns(c->window) ? "Starting: the first second is being recorded." :
			 s->table.count ? "No row is left by the filter." : s->view->empty);
	lines_draw(&l, 0, g, a);
}

void table_screen_draw(const struct screen_context *c, void *state, struct grid *g, const struct area *a)
{
	struct table_state *s = state;
	struct area table = *a, detail = *a;

	if (has_tabs(s) && a->rows > 4) {
		draw_tabs(s, g, a);
		table.row++;
		table.rows--;
	}
	make_detail(c, s, a->columns);
	detail.rows = detail_rows(s, table.rows);
	table.rows -= detail.rows;
	detail.row = table.row + table.rows;
	table_draw(&s->table, g, &table);
	if (!s->table.shown && table.rows > 1)
		draw_empty(c, s, g, &(struct area){table.row + 1, a->column, table.rows - 1, a->columns});
	if (!detail.rows)
		return;
	grid_fill(g, detail.row, a->column, a->columns, STYLE_DIM, "─");
	detail.row++;
	detail.rows--;
	if (s->detail_top + detail.rows > s->detail.count)
		s->detail_top = s->detail.count > detail.rows ? s->detail.count - detail.rows : 0;
	lines_draw(&s->detail, s->detail_top, g, &detail);
}

unsigned table_screen_height(const struct screen_context *c, const void *state)
{
	const struct table_state *s = state;

	return s->table.shown + 1 + has_tabs(s) + (s->table.shown == 0);
}

static void next_view(const struct screen_context *c, struct table_state *s)
{
	show_view(s, s->view[1].name ? s->view + 1 : s->screen->views);
	table_screen_update(c, s);
}

static bool click_tab(const struct screen_context *c, struct table_state *s, const struct key_event *e)
{
	unsigned at = 0;

	if (!has_tabs(s) || !s->tabs || e->row != s->tabs_row)
		return false;
	for (const struct table_view *v = s->tabs; v->name; v++) {
		unsigned width = tab_width(v, s->gap);

		if (e->column >= at && e->column < at + width && v != s->view) {
			show_view(s, v);
			table_screen_update(c, s);
		}
		at += width;
	}
	return true;
}

static bool toggle(const struct screen_context *c, struct table_state *s, int code)
{
	for (const struct table_toggle *t = s->screen->toggles; t && t->key; t++) {
		if (t->key != code && t->other_key != code)
			continue;
		if (t->only) {
			table_toggle_only(&s->table, t->only - 1);
		} else if (t->column) {
			table_sort_by(&s->table, t->column - 1);
		} else if (t->flag) {
			s->flags = (s->flags & ~(t->flag & TREES ? TREES & ~t->flag : 0)) ^ t->flag;
			table_screen_update(c, s);
		} else {
			next_view(c, s);
		}
		return true;
	}
	return false;
}

static bool press(const struct screen_context *c, struct table_state *s, const struct key_event *e)
{
	if (s->table.typing)
		return table_key(&s->table, e);
	if (toggle(c, s, e->code))
		return true;
	switch (e->code) {
	case '\t':
		if (view_count(s->screen) < 2)
			return false;
		next_view(c, s);
		return true;
	case 'J':
		s->detail_top += DETAIL_STEP;
		return true;
	case 'K':
		s->detail_top -= s->detail_top < DETAIL_STEP ? s->detail_top : DETAIL_STEP;
		return true;
	case UI_KEY_CLICK:
		return click_tab(c, s, e) || table_key(&s->table, e);
	default:
		return table_key(&s->table, e);
	}
}

bool table_screen_key(const struct screen_context *c, void *state, const struct key_event *e)
{
	struct table_state *s = state;
	uint32_t selected = s->table.selected;
	int sort = s->table.sort;
	bool inverted = s->table.inverted;

	if (!press(c, s, e))
		return false;
	/* In a tree the order is made with it. */
	if (s->table.ordered && (sort != s->table.sort || inverted != s->table.inverted))
		table_screen_update(c, s);
	if (s->table.selected != selected)
		s->detail_top = 0;
	return true;
}

bool table_screen_enter(const struct screen_context *c, void *state, struct target *target)
{
	struct table_state *s = state;
	const struct record *r = table_selected(&s->table);

	return r && s->view->enter && s->view->enter(c, r, target);
}

void table_screen_close(void *state)
{
	struct table_state *s = state;

	table_done(&s->table);
	lines_done(&s->detail);
}
