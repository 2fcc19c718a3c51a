/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of text of one style each, for what is told below a table or on a page of its own. */
#pragma once
#include "grid.h"

struct line {
	enum style style;
	unsigned indent;
	const char *text;
};

struct lines {
	struct line *items;
	unsigned count, capacity;
	struct arena *strings;
};

void lines_reset(struct lines *l);
void lines_done(struct lines *l);
void lines_add(struct lines *l, enum style style, unsigned indent, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* From line `top` on. */
void lines_draw(const struct lines *l, unsigned top, struct grid *g, const struct area *a);
/* Long texts go on in the next line, between words. */
void lines_add_folded(struct lines *l, enum style style, unsigned indent, unsigned width, const char *text);
