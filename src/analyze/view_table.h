/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of a view of the recording (network, ...): each is a question in an SQL file, views/VIEW.TABLE.sql, with its title in
 * a comment, and in another, "-- empty: SELECT ...", what tells why it can have no rows. A column's name says what it is: ..._ns, ..._bytes and ..._percent are shown in units that suit, histogram (a
 * JSON array of counts) is drawn. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "store_query.h"

struct arena;

struct view_table_source {
	const char *view, *name;
	const char *sql;
};

extern const struct view_table_source view_table_sources[]; /* ends with {0}; those of a view stand together */

struct view_table_cell {
	enum query_type type;
	int64_t integer;
	double real;
	const char *text; /* what other processes wrote: to be escaped */
};

struct view_table {
	const struct view_table_source *source;
	const char *title;
	const char *reason; /* why there are no rows; NULL: there are, or there was nothing to tell */
	const char **columns;
	size_t column_count;
	struct view_table_cell *cells; /* row by row */
	size_t rows, all_rows;    /* that are kept, and that there are */
	struct arena *memory;
};

/* Of the part of the recording that is selected, at most `limit` rows. */
int view_table_new(struct store *s, const struct view_table_source *source, size_t limit, struct view_table **ret_table);
void view_table_free(struct view_table *t); /* NULL is fine */

DEFINE_CLEANUP(struct view_table *, view_table_free)
