// SPDX-License-Identifier: BSD-2-Clause
#include "grid.h"

#include <stdarg.h>
#include <string.h>

#include "escape.h"
#include "mem.h"
#include "width.h"

#define ELLIPSIS "\xe2\x80\xa6"

static const struct cell blank = {.text = " ", .width = 1};

struct grid *grid_new(unsigned rows, unsigned columns)
{
	struct grid *g = xcalloc(1, sizeof(*g));

	grid_resize(g, rows, columns);
	return g;
}

void grid_free(struct grid *g)
{
	if (!g)
		return;
	free(g->cells);
	free(g);
}

void grid_resize(struct grid *g, unsigned rows, unsigned columns)
{
	g->cells = xrealloc(g->cells, ((size_t)rows * columns + 1) * sizeof(*g->cells));
	g->rows = rows;
	g->columns = columns;
	grid_clear(g);
}

void grid_clear(struct grid *g)
{
	for (size_t i = 0; i < (size_t)g->rows * g->columns; i++)
		g->cells[i] = blank;
}

struct cell *grid_cell(const struct grid *g, unsigned row, unsigned column)
{
	return row < g->rows && column < g->columns ? &g->cells[(size_t)row * g->columns + column] : NULL;
}

/* Half of a wide character that is written over takes the other half with it. */
static void split_wide(struct grid *g, unsigned row, unsigned column)
{
	struct cell *cell = grid_cell(g, row, column);
	struct cell *other;

	if (!cell || cell->width == 1)
		return;
	other = cell->width ? cell + 1 : cell - 1;
	for (int i = 0; i < 2; i++, cell = other) {
		memcpy(cell->text, " ", 2);
		cell->width = 1;
	}
}

static void set_cell(struct grid *g, unsigned row, unsigned column, enum style style, const char *text,
		     size_t len, unsigned width)
{
	struct cell *cell = grid_cell(g, row, column);

	if (!cell)
		return;
	split_wide(g, row, column);
	if (width == 2)
		split_wide(g, row, column + 1);
	*cell = (struct cell){.width = (uint8_t)width, .style = (uint8_t)style};
	memcpy(cell->text, text, len);
	if (width == 2)
		cell[1] = (struct cell){.style = (uint8_t)style};
}

/* A mark joins the character before it; more marks than a cell has room for are left out. */
static void add_mark(struct grid *g, unsigned row, unsigned column, const char *text, size_t len)
{
	struct cell *cell = grid_cell(g, row, column);
	size_t used;

	if (cell && !cell->width)
		cell--;
	used = cell ? strlen(cell->text) : 0;
	if (cell && used + len < sizeof(cell->text))
		memcpy(cell->text + used, text, len);
}

static unsigned measure(const char *text, size_t len)
{
	unsigned width = 0, code;

	for (size_t i = 0; i < len;) {
		i += utf8_decode(text + i, len - i, &code);
		width += code_width(code);
	}
	return width;
}

unsigned grid_text_width(const char *text)
{
	_cleanup_(buf_done) struct buf safe = BUF_INIT;

	escape_terminal(&safe, text, strlen(text));
	return measure(safe.data, safe.len);
}

unsigned grid_put(struct grid *g, unsigned row, unsigned column, unsigned width, enum style style,
		  const char *text)
{
	_cleanup_(buf_done) struct buf safe = BUF_INIT;
	unsigned used = 0, code, room;

	if (row >= g->rows || column >= g->columns || !width)
		return 0;
	if (width > g->columns - column)
		width = g->columns - column;
	/* A character has at most four bytes, and marks beyond a few to a cell are not shown. */
	escape_terminal(&safe, text, strnlen(text, (size_t)width * 16));
	room = measure(safe.data, safe.len) > width ? width - 1 : width;
	for (size_t i = 0, n; i < safe.len; i += n) {
		n = utf8_decode(safe.data + i, safe.len - i, &code);
		unsigned cells = code_width(code);

		if (used + cells > room)
			break;
		if (cells)
			set_cell(g, row, column + used, style, safe.data + i, n, cells);
		else if (used)
			add_mark(g, row, column + used - 1, safe.data + i, n);
		used += cells;
	}
	if (room < width)
		set_cell(g, row, column + used++, style, ELLIPSIS, strlen(ELLIPSIS), 1);
	return used;
}

unsigned grid_putf(struct grid *g, unsigned row, unsigned column, unsigned width, enum style style,
		   const char *format, ...)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	return grid_put(g, row, column, width, style, text.data);
}

void grid_put_right(struct grid *g, unsigned row, unsigned column, unsigned width, enum style style,
		    const char *text)
{
	unsigned used = grid_text_width(text);
	unsigned skip = used < width ? width - used : 0;

	grid_put(g, row, column + skip, width - skip, style, text);
}

void grid_fill(struct grid *g, unsigned row, unsigned column, unsigned width, enum style style,
	       const char *character)
{
	size_t len = strlen(character);

	for (unsigned i = 0; i < width && column + i < g->columns; i++)
		set_cell(g, row, column + i, style, character, len, 1);
}

void grid_restyle(struct grid *g, unsigned row, unsigned column, unsigned width, enum style style)
{
	for (unsigned i = 0; i < width && column + i < g->columns && row < g->rows; i++)
		grid_cell(g, row, column + i)->style = (uint8_t)style;
}

void grid_dump(const struct grid *g, struct buf *text)
{
	for (unsigned row = 0; row < g->rows; row++) {
		size_t end = text->len;

		for (unsigned column = 0; column < g->columns; column++) {
			const struct cell *cell = grid_cell(g, row, column);

			buf_addstr(text, cell->text);
			if (strcmp(cell->text, " ") && cell->width)
				end = text->len;
		}
		text->len = end;
		text->data[end] = 0;
		buf_addch(text, '\n');
	}
}
