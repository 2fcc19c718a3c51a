/* SPDX-License-Identifier: BSD-2-Clause */
/* What totals.c keeps, and how it comes out of the file: by two threads where the recording is long. */
#pragma once
#include "intern.h"
#include "rows_table.h"
#include "store.h"

enum total_table { SAMPLES, HISTOGRAMS, EDGES, GAUGES, LEVELS, STACKS, PROCESSES, TASKS, THREADS, TIMES, THREAD_TIMES, PROCESS_TIMES, SPEAKERS,
		   TOTALS };

/* The first columns of the rows, the keys, say what they are about, the others are added up. */
struct total {
	const char *name, *columns, *rows; /* rows NULL: made from others */
	unsigned keys;
	bool whole; /* nothing is added up: the rows are kept as they are */
};
extern const struct total totals[TOTALS];

struct rows_table *totals_table_new(enum total_table which);
int64_t totals_text(struct intern *texts, const char *text); /* as a cell */
/* Fills those that have `rows`, and LEVELS. */
int totals_read(struct store *s, struct intern *texts, struct rows_table *tables[TOTALS]);
