// SPDX-License-Identifier: BSD-2-Clause
#include "lines.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "escape.h"
#include "mem.h"

void lines_reset(struct lines *l)
{
	arena_free(l->strings);
	l->strings = arena_new();
	l->count = 0;
}

void lines_done(struct lines *l)
{
	arena_free(l->strings);
	free(l->items);
}

static void add(struct lines *l, enum style style, unsigned indent, const char *text, size_t len)
{
	GROW(l->items, l->count, l->capacity);
	l->items[l->count++] = (struct line){style, indent, arena_strndup(l->strings, text, len)};
}

void lines_add(struct lines *l, enum style style, unsigned indent, const char *format, ...)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	add(l, style, indent, text.data, text.len);
}

/* As much of the text as fits into a line, up to a blank; at least a character. */
static size_t fitting(const char *text, unsigned width)
{
	size_t blank = 0, i = 0;
	unsigned used = 0, code;

	while (text[i]) {
		size_t n = utf8_decode(text + i, strlen(text + i), &code);

		if (used++ >= width)
			return blank ? blank : i ? i : n;
		if (text[i] == ' ')
			blank = i;
		i += n;
	}
	return i;
}

void lines_add_folded(struct lines *l, enum style style, unsigned indent, unsigned width, const char *text)
{
	unsigned room = width > indent + 10 ? width - indent : 10;

	do {
		size_t len = fitting(text, room);

		add(l, style, indent, text, len);
		text += len;
		text += *text == ' ';
	} while (*text);
}

void lines_draw(const struct lines *l, unsigned top, struct grid *g, const struct area *a)
{
	for (unsigned i = 0; i < a->rows && top + i < l->count; i++) {
		const struct line *line = &l->items[top + i];

		if (line->indent < a->columns)
			grid_put(g, a->row + i, a->column + line->indent, a->columns - line->indent, line->style, line->text);
	}
}
