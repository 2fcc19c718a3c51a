// SPDX-License-Identifier: BSD-2-Clause
#include "listing.h"

#include <string.h>

#include "escape.h"
#include "mem.h"

#define GAP 2

struct cell {
	char *text; /* safe for a terminal */
	unsigned width;
};

struct listing {
	const struct listing_column *columns;
	size_t column_count;
	struct cell *cells;
	size_t count, capacity;
};

struct listing *listing_new(const struct listing_column *columns)
{
	struct listing *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	while (columns[t->column_count].title)
		t->column_count++;
	return t;
}

void listing_free(struct listing *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}

/* Characters, each of which is one column wide. */
static unsigned width_of(const char *text, size_t len)
{
	unsigned width = 0, code;

	for (size_t i = 0; i < len; width++)
		i += utf8_decode(text + i, len - i, &code);
	return width;
}

void listing_add(struct listing *t, const char *text)
{
	struct buf safe = BUF_INIT;

	escape_terminal(&safe, text, strlen(text));
	GROW(t->cells, t->count, t->capacity);
	t->cells[t->count].width = width_of(safe.data, safe.len);
	t->cells[t->count++].text = buf_steal(&safe);
}

void listing_addf(struct listing *t, const char *format, ...)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	listing_add(t, text.data);
}

static void choose_widths(const struct listing *t, unsigned width, unsigned *widths)
{
	unsigned used = 0;

	for (size_t c = 0; c < t->column_count; c++) {
		const struct listing_column *column = &t->columns[c];

		widths[c] = width_of(column->title, strlen(column->title));
		for (size_t i = c; i < t->count; i += t->column_count)
			widths[c] = t->cells[i].width > widths[c] ? t->cells[i].width : widths[c];
		if (column->most && widths[c] > column->most)
			widths[c] = column->most;
		if (column->takes_rest) {
			unsigned rest = width > used + GAP ? width - used - GAP : 0, least = widths[c] < column->least ? widths[c] : column->least;

			widths[c] = rest > least ? rest : least;
		}
		used += GAP + widths[c];
	}
}

/* The text in so many columns; a cut is shown. */
static void add_cell(struct buf *out, const char *text, unsigned text_width, unsigned width, bool left, bool last)
{
	size_t len = strlen(text), end = 0;
	unsigned code;

	if (!left && text_width < width)
		buf_addf(out, "%*s", (int)(width - text_width), "");
	if (text_width <= width) {
		buf_add(out, text, len);
	} else {
		for (unsigned i = 0; i + 1 < width; i++)
			end += utf8_decode(text + end, len - end, &code);
		buf_add(out, text, end);
		buf_addstr(out, width ? "…" : "");
	}
	if (left && !last && text_width < width)
		buf_addf(out, "%*s", (int)(width - text_width), "");
}

static void end_line(struct buf *out)
{
	while (out->len && out->data[out->len - 1] == ' ')
		out->data[--out->len] = 0;
	buf_addch(out, '\n');
}

void listing_print(const struct listing *t, unsigned width, bool colour, struct buf *out)
{
	_cleanup_free_ unsigned *widths = xcalloc(t->column_count, sizeof(*widths));

	choose_widths(t, width, widths);
	buf_addstr(out, colour ? "\033[2m" : "");
	for (size_t c = 0; c < t->column_count; c++) {
		const struct listing_column *column = &t->columns[c];

		buf_addf(out, "%*s", GAP, "");
		add_cell(out, column->title, width_of(column->title, strlen(column->title)), widths[c], column->left,
			 c + 1 == t->column_count);
	}
	buf_addstr(out, colour ? "\033[0m" : "");
	end_line(out);
	for (size_t i = 0; i < t->count; i++) {
		size_t c = i % t->column_count;

		buf_addf(out, "%*s", GAP, "");
		add_cell(out, t->cells[i].text, t->cells[i].width, widths[c], t->columns[c].left,
			 c + 1 == t->column_count);
		if (c + 1 == t->column_count)
			end_line(out);
	}
}
