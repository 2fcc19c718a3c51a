/* SPDX-License-Identifier: BSD-2-Clause */
/* A table in memory that SQL reads where it is: nothing is written row by row, and what a column equals is looked up, in the
 * order of rows. Indexes are made when a question first has a use for them. */
#pragma once
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "cleanup.h"

enum { ROWS_MOST_COLUMNS = 12 };

#define ROWS_NULL INT64_MIN

/* What a cell holds: a number, a double's bits, or the address of a text that stays the caller's (0: NULL). */
enum rows_type { ROWS_INTEGER, ROWS_REAL, ROWS_TEXT };

struct rows_table {
	const char *columns;      /* "metric,value REAL,name TEXT": INTEGER, unless it says something else */
	unsigned width;           /* how many */
	unsigned keys;            /* of these, from the first on, that can be looked up; for rows_table_place(), that identify a row */
	enum rows_type type[ROWS_MOST_COLUMNS];
	int64_t *cells;           /* ROWS_NULL is NULL */
	size_t count, capacity;
	struct rows_place *places; /* hash of the keys -> row */
	size_t place_count, last;
	enum { ROWS_ANY_ORDER, ROWS_SORTED, ROWS_UNSORTED } order; /* by the first column; any: not known yet */
	struct rows_index *index[ROWS_MOST_COLUMNS]; /* nothing may be added any more once there is one */
};

struct rows_table *rows_table_new(const char *columns, unsigned keys); /* columns stay the caller's */
void rows_table_free(struct rows_table *t);

/* "metric,value,name". */
void rows_table_add_names(const struct rows_table *t, struct buf *text);
/* The first row in which a column is so; NULL: there is none. */
int64_t *rows_table_find(struct rows_table *t, unsigned column, int64_t value);

/* A new row, all 0; it moves when the next is added. */
int64_t *rows_table_add(struct rows_table *t);
/* The row with these keys, a new one if there is none. */
int64_t *rows_table_place(struct rows_table *t, const int64_t *keys);
/* By the first column. */
void rows_table_sort(struct rows_table *t);

static inline int64_t *rows_table_row(const struct rows_table *t, size_t row)
{
	return &t->cells[row * t->width];
}

/* Tables are made by CREATE VIRTUAL TABLE temp.NAME USING rows; `find` tells which NAME is, and they stay the caller's: they must
 * not change once a question has been asked, and live until they are dropped or the connection is closed. */
typedef struct rows_table *rows_finder(void *arg, const char *name);
struct rows_source {
	rows_finder *find;
	void *arg;
};
int rows_table_register(sqlite3 *db, struct rows_source *source); /* SQLite's code */

DEFINE_CLEANUP(struct rows_table *, rows_table_free)
