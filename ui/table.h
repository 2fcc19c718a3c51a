/* SPDX-License-Identifier: BSD-2-Clause */
/* A table: records in columns, in an order, with a row that keys act on, a search, a filter, a scroll position. Who fills it
 * says what the numbers are; the table shows them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "format.h"
#include "grid.h"
#include "key.h"
#include "state.h"

enum { RECORD_NUMBERS = 14, RECORD_TEXTS = 4, COLUMNS_WIDE = 140, COLUMNS_MOST = 20, SEARCH_LONGEST = 64 };

enum column_kind {
	COLUMN_NUMBER,
	COLUMN_TEXT,
	COLUMN_STATES, /* a bar of the record's times */
	COLUMN_SHARE,  /* a bar as long as the number, in percent */
};

struct column {
	const char *title, *help;
	unsigned width, wide; /* cells, also in tables of COLUMNS_WIDE and more; 0: all that is left */
	unsigned from;        /* shown in tables of at least so many cells */
	enum column_kind kind;
	unsigned field;       /* number or text of the record */
	enum unit unit;
	double warning, critical; /* numbers from here on are; 0: none is */
	bool ascending;       /* the smallest first, unless the order is inverted */
	bool tree;            /* the text that the tree's branches are drawn before */
	unsigned modes;       /* bits of the table's modes that show it; 0: all */
};

enum table_typing { TYPING_NOTHING, TYPING_SEARCH, TYPING_FILTER };

struct record {
	uint64_t key;      /* who it is, from one update to the next */
	double number[RECORD_NUMBERS]; /* NAN: not known */
	const char *text[RECORD_TEXTS];
	const struct state_times *times; /* NULL: no bar */
	uint32_t process, task, resource, stack; /* ids in the store */
	uint32_t depth;    /* in the tree */
	uint64_t branch;   /* bit i: the ancestor at depth i has a sibling below */
	uint64_t heaviest; /* of the rows that it was added up from: which one it speaks for */
	bool dim;
	enum style style;  /* of its texts, if it is not STYLE_NORMAL */
};

struct table {
	const struct column *columns; /* ends with a title NULL */
	unsigned mode;                /* one bit of the columns' modes */
	bool ordered;                 /* records stand as they were added */
	bool passive;                 /* no row is selected */

	struct record *records;
	uint32_t *order;              /* indices of the records that are shown */
	uint32_t count, capacity, shown;
	struct arena *strings;
	struct map *by_key;

	int sort;
	bool inverted;
	uint32_t selected, top; /* places in the order: the row that keys act on, the first on the screen */
	uint64_t held;          /* key of the selected one, which keeps its selection when rows move; 0: the first */
	unsigned page, head_row;
	struct area places[COLUMNS_MOST];
	enum table_typing typing;
	char search[SEARCH_LONGEST], filter[SEARCH_LONGEST]; /* rows in which that is not are left out */
	int only;                     /* a text, and 1: rows of which it is another than this are left out; 0: none is */
	char only_text[SEARCH_LONGEST];
};

/* New records from here on; texts of the old ones are void. The caller's texts must last until the next time. */
void table_begin(struct table *t, const struct column *columns);
struct record *table_append(struct table *t); /* zeroed; valid until the next one */
struct record *table_get(struct table *t, uint64_t key); /* the one that table_get() added with this key, or a new one */
void *table_alloc(struct table *t, size_t size); /* zeroed, until the next table_begin() */
const char *table_text(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_end(struct table *t); /* puts them in order */
void table_done(struct table *t);

int compare_numbers(double x, double y, bool reverse); /* NAN, not known, comes last in either direction */
bool table_is_match(const struct table *t, const struct record *r); /* of what is searched for */
const struct record *table_selected(const struct table *t); /* NULL: there is none */
void table_draw(struct table *t, struct grid *g, const struct area *a);
bool table_key(struct table *t, const struct key_event *e); /* moves, searches, orders; false: not its key */
bool table_shows(const struct table *t, unsigned mode); /* the column that gives the order is there in that mode, too */
void table_sort_by(struct table *t, int column); /* nothing, where its mode does not show that column */
void table_toggle_only(struct table *t, int text); /* rows that have it in common with the selected one, or all */
