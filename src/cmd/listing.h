/* SPDX-License-Identifier: BSD-2-Clause */
/* Aligned columns on a terminal. Cells may hold anything: they are made safe here. Where the columns of a table that says which of
 * them to repeat do not fit beside each other, they come in blocks below each other, all rows in each. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "cleanup.h"

struct listing_column {
	const char *title;
	bool left;      /* aligned; numbers stand on the right */
	unsigned most;  /* columns of the terminal; what is longer is cut; 0: no limit */
	bool takes_rest; /* what the others leave: the last column only */
	bool wraps;     /* that one: what is longer is not cut but goes on below */
	unsigned least;  /* and so much in any case, if its text is as long; then lines are too */
	unsigned spare;  /* left out where not all columns fit, those with the highest number first; 0: never */
	bool repeats;    /* in each block, as it tells what the row is about: the last columns only */
};

struct listing;

struct listing *listing_new(const struct listing_column *columns); /* ends with {0}; must outlive the listing */
void listing_free(struct listing *t);
void listing_add(struct listing *t, const char *text); /* the next cell, row by row */
void listing_addf(struct listing *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void listing_print(const struct listing *t, unsigned width, bool colour, struct buf *out);

DEFINE_CLEANUP(struct listing *, listing_free)
