/* SPDX-License-Identifier: BSD-2-Clause */
/* A flame graph as one SVG file that needs nothing else: readable as a still picture, and with
 * zoom, search, tooltips, keyboard and links in a browser. */
#pragma once
#include <stdbool.h>

#include "flame.h"

struct flame_svg_options {
	const char *title;    /* NULL: "Flame graph" */
	const char *subtitle; /* NULL: the total */
	/* What the values are. "ns", "us", "ms", "s" and "bytes" are shown in the unit that suits
	 * their size, any other word as it is; NULL: "samples". */
	const char *unit;
	bool inverted;        /* icicle: the root on top */
	/* px, of the still picture; a browser uses its window's. 0 (or no room): 1200. */
	unsigned width;
	/* px at that width, below which a frame is merged into its caller. 0: 0.1. */
	double min_width;
	unsigned max_frames;  /* 0: 40000 */
	unsigned max_depth;   /* 0: 2000 */
	const char *search;   /* marked from the start; NULL: nothing */
};

/* Compares the sides when FLAME_BASE has a total. -EINVAL with a message when there is nothing to
 * draw; other -errno are write(2)'s. */
int flame_write_svg(const struct flame *f, const struct flame_svg_options *options, int fd);
