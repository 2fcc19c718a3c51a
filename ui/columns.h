/* SPDX-License-Identifier: BSD-2-Clause */
/* The columns of a table of processes or threads. */
#pragma once
#include "rows.h"

enum column_id {
	COLUMN_PID, COLUMN_TID, COLUMN_USER, COLUMN_CPU, COLUMN_RUNNABLE, COLUMN_LOCK, COLUMN_DISK, COLUMN_BLOCKED, COLUMN_BAR,
	COLUMN_THREADS, COLUMN_SWITCHES, COLUMN_CGROUP, COLUMN_COMMAND, COLUMNS
};

struct column {
	const char *title;
	const char *help;
	unsigned width, wide;   /* cells, also in a grid of COLUMNS_WIDE and more; 0: all that is left */
	unsigned from;          /* shown in grids of at least so many cells */
	bool right;             /* numbers */
	bool descending;        /* the largest first, unless the order is inverted */
	enum { IN_BOTH, IN_PROCESSES, IN_THREADS } list;
	row_compare *compare;
	void (*text)(const struct row *r, struct buf *text);
	enum style (*style)(const struct row *r);                               /* may be NULL */
	void (*draw)(const struct row *r, struct grid *g, const struct area *a); /* instead of text */
};

enum { COLUMNS_WIDE = 140 };
extern const struct column columns[COLUMNS];

/* Where each column is in a table of that width; `columns` 0: not shown. */
void columns_place(struct area places[COLUMNS], unsigned width, bool threads);
