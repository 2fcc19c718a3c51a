// SPDX-License-Identifier: BSD-2-Clause
#include "listing.h"

#include <string.h>

#include "escape.h"
#include "mem.h"
#include "wrap.h"

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

void listing_add(struct listing *t, const char *text)
{
	struct buf safe = BUF_INIT;

	escape_terminal(&safe, text, strlen(text));
	GROW(t->cells, t->count, t->capacity);
	t->cells[t->count].width = wrap_columns(safe.data, safe.len);
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

/* What each column wants; 0: it has nothing to say. */
static void choose_widths(const struct listing *t, unsigned *widths)
{
	for (size_t c = 0; c < t->column_count; c++) {
		const struct listing_column *column = &t->columns[c];

		widths[c] = wrap_columns(column->title, strlen(column->title));
		for (size_t i = c; i < t->count; i += t->column_count)
			widths[c] = t->cells[i].width > widths[c] ? t->cells[i].width : widths[c];
		if (column->most && widths[c] > column->most)
			widths[c] = column->most;
	}
}

/* Columns from `first` to before `end`, and those from `repeated` on. */
struct block {
	size_t first, end, repeated;
};

static bool is_in(const struct block *b, size_t column)
{
	return (column >= b->first && column < b->end) || column >= b->repeated;
}

static unsigned least_width(const struct listing_column *column, unsigned width)
{
	return column->takes_rest && column->least < width ? column->least : width;
}

/* Those that repeat, but no more than leave some room to the others. */
static size_t first_repeated(const struct listing *t, const unsigned *widths, unsigned width)
{
	size_t c = t->column_count;
	unsigned used = 0;

	for (; c && t->columns[c - 1].repeats; c--) {
		used += GAP + least_width(&t->columns[c - 1], widths[c - 1]);
		if (used > width * 5 / 8 && c < t->column_count)
			break;
	}
	return c;
}

static unsigned width_between(const struct listing *t, const unsigned *widths, size_t from, size_t to)
{
	unsigned used = 0;

	for (size_t c = from; c < to; c++)
		used += widths[c] ? GAP + least_width(&t->columns[c], widths[c]) : 0;
	return used;
}

/* Those that can be spared, one after the other until the rest fits. */
static void leave_out(const struct listing *t, unsigned *widths, unsigned width)
{
	while (width_between(t, widths, 0, t->column_count) > width) {
		size_t most = 0;

		for (size_t c = 1; c < t->column_count; c++)
			if (widths[c] && t->columns[c].spare > (widths[most] ? t->columns[most].spare : 0))
				most = c;
		if (!widths[most] || !t->columns[most].spare)
			break;
		widths[most] = 0;
	}
}

/* As many columns as fit, but one at the least; all, if none repeats. */
static struct block block_at(const struct listing *t, const unsigned *widths, unsigned width, size_t first)
{
	size_t count = t->column_count, repeated = first_repeated(t, widths, width);
	struct block b = {first, first, repeated};

	if (repeated == count || (!first && width_between(t, widths, 0, count) <= width))
		return (struct block){0, count, count};
	unsigned used = width_between(t, widths, repeated, count);
	do
		used += width_between(t, widths, b.end, b.end + 1);
	while (++b.end < repeated && used + width_between(t, widths, b.end, b.end + 1) <= width);
	return b;
}

static unsigned width_in(const struct listing *t, const unsigned *widths, unsigned width, const struct block *b, size_t column)
{
	unsigned used = 0, least = least_width(&t->columns[column], widths[column]);

	if (!t->columns[column].takes_rest)
		return widths[column];
	for (size_t c = 0; c < column; c++)
		used += is_in(b, c) && widths[c] ? GAP + widths[c] : 0;
	unsigned rest = width > used + GAP ? width - used - GAP : 0;

	return rest > least ? rest : least;
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

/* Without the line's end, which is the caller's. */
static void wrap_cell(struct buf *out, const char *text, unsigned at, unsigned width)
{
	wrap_text(out, text, at, at, at + width);
	out->data[--out->len] = 0;
}

static void print_row(const struct listing *t, const struct cell *cells, const unsigned *widths, const struct block *b, struct buf *out)
{
	unsigned at = 0;

	for (size_t c = 0; c < t->column_count; c++) {
		const struct listing_column *column = &t->columns[c];
		const char *text = cells ? cells[c].text : column->title;

		if (!is_in(b, c) || !widths[c])
			continue;
		buf_addf(out, "%*s", GAP, "");
		at += GAP;
		if (column->wraps && cells && cells[c].width > widths[c])
			wrap_cell(out, text, at, widths[c]);
		else
			add_cell(out, text, cells ? cells[c].width : wrap_columns(text, strlen(text)), widths[c], column->left,
				 c + 1 == t->column_count);
		at += widths[c];
	}
}

static void print_block(const struct listing *t, const unsigned *widths, const struct block *b, bool colour, struct buf *out)
{
	buf_addstr(out, colour ? "\033[2m" : "");
	print_row(t, NULL, widths, b, out);
	buf_addstr(out, colour ? "\033[0m" : "");
	end_line(out);
	for (size_t i = 0; i + t->column_count <= t->count; i += t->column_count) {
		print_row(t, &t->cells[i], widths, b, out);
		end_line(out);
	}
}

void listing_print(const struct listing *t, unsigned width, bool colour, struct buf *out)
{
	_cleanup_free_ unsigned *natural = xcalloc(t->column_count, sizeof(*natural));
	_cleanup_free_ unsigned *widths = xcalloc(t->column_count, sizeof(*widths));
	struct block b = {0};

	choose_widths(t, natural);
	leave_out(t, natural, width);
	do {
		b = block_at(t, natural, width, b.end);
		for (size_t c = 0; c < t->column_count; c++)
			widths[c] = width_in(t, natural, width, &b, c);
		print_block(t, widths, &b, colour, out);
	} while (b.end < b.repeated);
}
