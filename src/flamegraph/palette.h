/* SPDX-License-Identifier: BSD-2-Clause */
/* Colours, as CSS classes: a letter for the kind of code and a digit for the name, so that a
 * function keeps its colour in every picture; in comparisons, growth and shrinking by degree. */
#pragma once
#include <stdbool.h>

#include "buf.h"
#include "view.h"

#define PALETTE_SHADES 8

struct palette_entry {
	const char *letter; /* of the class */
	const char *label;  /* for the legend */
};

const struct palette_entry *palette_kind(enum flame_kind kind);
void palette_class(struct buf *b, const struct flame_node *n);
/* `degree` from -1 (shrank most) to 1 (grew most). */
void palette_diff_class(struct buf *b, double degree);
void palette_css(struct buf *b, bool diff);

struct rgb {
	unsigned char r, g, b;
};

/* The fill of a kind's shade, and of the text on it; for tests of contrast. */
struct rgb palette_fill(enum flame_kind kind, unsigned shade, bool dark);
struct rgb palette_text(bool dark);
