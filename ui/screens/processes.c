// SPDX-License-Identifier: BSD-2-Clause
/* Processes or threads, and what their time went into. */
#include <string.h>

#include "columns.h"
#include "escape.h"
#include "screen.h"

enum { SEARCH_LONGEST = 64 };

struct processes {
	struct row_list list;
	struct row_order order;
	enum column_id sort;
	bool inverted;
	uint32_t selected;                  /* index of the row that keys act on */
	uint32_t top;                       /* index of the first row on the screen */
	uint32_t held_process, held_thread; /* ids of the selected one, which keeps its selection when rows move */
	unsigned page;                      /* rows on the screen, as of the last draw */
	unsigned head_row;                  /* where the table's head was drawn */
	struct area places[COLUMNS];
	bool typing;
	char search[SEARCH_LONGEST];
};

static bool sort_is_shown(const struct processes *p, enum column_id column)
{
	return columns[column].list != (p->order.threads ? IN_PROCESSES : IN_THREADS);
}

static void hold(struct processes *p)
{
	const struct row *row = p->selected < p->list.count ? &p->list.rows[p->selected] : NULL;

	/* At the top nobody is held: there the first of the order is of interest, whoever it is. */
	p->held_process = row && p->selected ? row->process->id : 0;
	p->held_thread = row && p->selected && row->thread ? row->thread->id : 0;
}

static void find_held(struct processes *p)
{
	for (uint32_t i = 0; p->held_process && i < p->list.count; i++) {
		const struct row *row = &p->list.rows[i];

		if (row->process->id == p->held_process && (row->thread ? row->thread->id : 0) == p->held_thread) {
			p->selected = i;
			return;
		}
	}
	if (p->selected >= p->list.count)
		p->selected = p->list.count ? p->list.count - 1 : 0;
}

static void update(const struct screen_context *c, void *state)
{
	struct processes *p = state;
	const struct column *column = &columns[p->sort];

	p->order.compare = column->compare;
	p->order.reverse = column->descending != p->inverted;
	rows_build(&p->list, c->window, &p->order);
	find_held(p);
}

static int open_screen(const struct screen_context *c, void *state)
{
	struct processes *p = state;

	p->sort = COLUMN_CPU;
	update(c, state);
	return 0;
}

static void close_screen(void *state)
{
	rows_done(&((struct processes *)state)->list);
}

static bool is_match(const struct processes *p, const struct row *row)
{
	return p->search[0] && (strcasestr(row_command(row), p->search) || strcasestr(row->process->command, p->search) ||
				strcasestr(row->process->comm, p->search));
}

static void draw_head(const struct processes *p, struct grid *g, const struct area *a)
{
	grid_fill(g, a->row, a->column, a->columns, STYLE_HEADER, " ");
	for (int i = 0; i < COLUMNS; i++) {
		const struct area *place = &p->places[i];
		enum style style = i == (int)p->sort ? STYLE_SORTED : STYLE_HEADER;
		unsigned column = a->column + place->column;

		if (!place->columns)
			continue;
		if (columns[i].right)
			grid_put_right(g, a->row, column, place->columns, style, columns[i].title);
		else
			grid_put(g, a->row, column, place->columns, style, columns[i].title);
		/* Without colours, too, it is to be seen which column gives the order. */
		if (i == (int)p->sort && column + place->columns < a->column + a->columns)
			grid_put(g, a->row, column + place->columns, 1, style,
				 columns[i].descending != p->inverted ? "▾" : "▴");
	}
}

static void draw_cell(const struct row *row, const struct column *column, struct grid *g, const struct area *a)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	enum style style = column->style ? column->style(row) : STYLE_NORMAL;

	if (column->draw) {
		column->draw(row, g, a);
		return;
	}
	column->text(row, &text);
	if (column->right)
		grid_put_right(g, a->row, a->column, a->columns, style, text.data);
	else
		grid_put(g, a->row, a->column, a->columns, style, text.data);
}

static void draw_row(const struct processes *p, uint32_t index, struct grid *g, const struct area *a, unsigned line)
{
	const struct row *row = &p->list.rows[index];

	for (int i = 0; i < COLUMNS; i++) {
		struct area cell = p->places[i];

		cell.row = line;
		cell.column += a->column;
		if (cell.columns)
			draw_cell(row, &columns[i], g, &cell);
	}
	if (index == p->selected)
		grid_restyle(g, line, a->column, a->columns, STYLE_SELECTED);
	else if (is_match(p, row))
		grid_restyle(g, line, a->column + p->places[COLUMN_COMMAND].column,
			     p->places[COLUMN_COMMAND].columns, STYLE_MATCH);
}

static void draw_search(const struct processes *p, struct grid *g, const struct area *a)
{
	unsigned row = a->row + a->rows - 1, used;

	grid_fill(g, row, a->column, a->columns, STYLE_NORMAL, " ");
	used = grid_put(g, row, a->column, a->columns, STYLE_KEY, "Search: ");
	used += grid_put(g, row, a->column + used, a->columns - used, STYLE_STRONG, p->search);
	grid_put(g, row, a->column + used, 1, STYLE_SELECTED, " ");
}

static void scroll(struct processes *p)
{
	if (p->selected < p->top)
		p->top = p->selected;
	if (p->page && p->selected >= p->top + p->page)
		p->top = p->selected - p->page + 1;
	if (p->list.count <= p->page)
		p->top = 0;
	else if (p->top > p->list.count - p->page)
		p->top = p->list.count - p->page;
}

static void draw(const struct screen_context *c, void *state, struct grid *g, const struct area *a)
{
	struct processes *p = state;

	if (!a->rows)
		return;
	p->page = a->rows - 1 - (p->typing && a->rows > 1);
	p->head_row = a->row;
	scroll(p);
	columns_place(p->places, a->columns, p->order.threads);
	draw_head(p, g, a);
	for (uint32_t i = 0; i < p->page && p->top + i < p->list.count; i++)
		draw_row(p, p->top + i, g, a, a->row + 1 + i);
	if (!window_ns(c->window) && p->page)
		grid_put(g, a->row + 1, a->column, a->columns, STYLE_DIM, "Listening; the first second is being recorded.");
	if (p->typing)
		draw_search(p, g, a);
}

static unsigned height(const struct screen_context *c, const void *state)
{
	return ((const struct processes *)state)->list.count + 1;
}

static void select_row(struct processes *p, int64_t index)
{
	int64_t last = (int64_t)p->list.count - 1;

	p->selected = (uint32_t)(index > last ? (last < 0 ? 0 : last) : index < 0 ? 0 : index);
	hold(p);
}

static void search_from(struct processes *p, uint32_t start)
{
	for (uint32_t i = 0; i < p->list.count; i++) {
		uint32_t index = (start + i) % p->list.count;

		if (is_match(p, &p->list.rows[index])) {
			select_row(p, index);
			return;
		}
	}
}

static void add_to_search(struct processes *p, unsigned code)
{
	size_t len = strlen(p->search);

	/* Names are compared byte by byte: ASCII is what keyboards and commands have in common. */
	if (code < ' ' || code > '~' || len + 1 >= sizeof(p->search))
		return;
	p->search[len] = (char)code;
	p->search[len + 1] = 0;
	search_from(p, p->selected);
}

static bool type_search(struct processes *p, int code)
{
	size_t len = strlen(p->search);

	if (code == UI_KEY_ENTER || code == UI_KEY_ESCAPE) {
		p->typing = false;
		if (code == UI_KEY_ESCAPE)
			p->search[0] = 0;
	} else if (code == UI_KEY_BACKSPACE) {
		if (len)
			p->search[len - 1] = 0;
	} else if (code == UI_KEY_F3 || code == UI_KEY_DOWN) {
		search_from(p, p->selected + 1);
	} else if (code < UI_KEY_FIRST) {
		add_to_search(p, (unsigned)code);
	}
	return true;
}

static void sort_by(const struct screen_context *c, struct processes *p, enum column_id column)
{
	p->inverted = p->sort == column ? !p->inverted : false;
	p->sort = column;
	update(c, p);
}

/* To the next column that is on the screen, to the right or to the left. */
static void step_sort(const struct screen_context *c, struct processes *p, int step)
{
	int column = (int)p->sort;

	do
		column = (column + step + COLUMNS) % COLUMNS;
	while ((!p->places[column].columns || column == COLUMN_BAR) && column != (int)p->sort);
	p->inverted = false;
	p->sort = (enum column_id)column;
	update(c, p);
}

static void click(const struct screen_context *c, struct processes *p, const struct key_event *e)
{
	if (e->row > p->head_row && p->top + (e->row - p->head_row - 1) < p->list.count)
		select_row(p, (int64_t)p->top + (e->row - p->head_row - 1));
	for (int i = 0; e->row == p->head_row && i < COLUMNS; i++)
		if (e->column >= p->places[i].column && e->column <= p->places[i].column + p->places[i].columns &&
		    p->places[i].columns)
			return sort_by(c, p, (enum column_id)i);
}

static bool move(struct processes *p, int code)
{
	static const struct {
		int code, rows, pages;
	} moves[] = {
		{UI_KEY_UP, -1, 0}, {UI_KEY_DOWN, 1, 0}, {UI_KEY_PAGE_UP, 0, -1}, {UI_KEY_PAGE_DOWN, 0, 1},
		{UI_KEY_WHEEL_UP, -3, 0}, {UI_KEY_WHEEL_DOWN, 3, 0},
		{UI_KEY_HOME, -(1 << 30), 0}, {UI_KEY_END, 1 << 30, 0},
		{'k', -1, 0}, {'j', 1, 0}, {'g', -(1 << 30), 0}, {'G', 1 << 30, 0},
	};

	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++)
		if (moves[i].code == code) {
			select_row(p, (int64_t)p->selected + moves[i].rows + (int64_t)moves[i].pages * p->page);
			return true;
		}
	return false;
}

static bool change_list(const struct screen_context *c, struct processes *p, int code)
{
	switch (code) {
	case 'H':
		p->order.threads = !p->order.threads;
		if (!sort_is_shown(p, p->sort))
			p->sort = COLUMN_CPU;
		break;
	case 't':
	case UI_KEY_F5:
		p->order.tree = !p->order.tree;
		break;
	case 'I':
		p->inverted = !p->inverted;
		break;
	default:
		return false;
	}
	update(c, p);
	return true;
}

static bool key_press(const struct screen_context *c, void *state, const struct key_event *e)
{
	static const struct {
		int code;
		enum column_id column;
	} orders[] = {{'P', COLUMN_CPU}, {'N', COLUMN_PID}, {'U', COLUMN_USER}, {'W', COLUMN_RUNNABLE}};
	struct processes *p = state;

	if (p->typing && e->code != UI_KEY_CLICK)
		return type_search(p, e->code);
	if (e->code == '/' || e->code == UI_KEY_F3) {
		p->typing = true;
		p->search[0] = 0;
		return true;
	}
	if (e->code == 'n' && p->search[0]) {
		search_from(p, p->selected + 1);
		return true;
	}
	if (e->code == '<' || e->code == '>') {
		step_sort(c, p, e->code == '<' ? -1 : 1);
		return true;
	}
	if (e->code == UI_KEY_CLICK) {
		click(c, p, e);
		return true;
	}
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (orders[i].code == e->code) {
			p->sort = orders[i].column;
			p->inverted = false;
			update(c, p);
			return true;
		}
	return move(p, e->code) || change_list(c, p, e->code);
}

static const struct key_help keys[] = {
	{"H", "Threads", "threads one by one, or processes"},
	{"t", "Tree", "below their parents; F5, too"},
	{"/", "Search", "by name and command line; n finds the next, Enter keeps what was found marked, Escape does not"},
	{"< >", "Sort", "the column to the left or to the right gives the order; so does a click on its title"},
	{"I", "Invert", "the order"},
	{"P N U W", NULL, "order by CPU, by number, by user, by waiting for a CPU"},
	{"arrows PgUp PgDn Home End", NULL, "move; j k g G, wheel and click, too"},
	{0},
};

const struct screen screen_processes = {
	.name = "processes",
	.key = '1',
	.help = "processes and threads, and what their time went into",
	.keys = keys,
	.state_size = sizeof(struct processes),
	.open = open_screen,
	.update = update,
	.draw = draw,
	.height = height,
	.key_press = key_press,
	.close = close_screen,
};
