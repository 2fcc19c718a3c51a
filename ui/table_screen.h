/* SPDX-License-Identifier: BSD-2-Clause */
/* Screens that are a table, or a few to choose from, with what explains the selected row below it: all that differs
 * between them is data and a function that fills the table. */
#pragma once
#include "lines.h"
#include "screen.h"
#include "table.h"

/* There are two kinds of trees: one of them at most is shown. */
enum table_flag { SHOW_TREE = 1, SHOW_IDLE = 2, SHOW_GROUPS = 4, HIDE_KERNEL = 8, TREES = SHOW_TREE | SHOW_GROUPS };

struct table_view {
	const char *name;             /* NULL behind the last */
	const struct column *columns;
	void (*fill)(const struct screen_context *c, struct table *t, unsigned flags);
	/* About the selected row; may be NULL. */
	void (*detail)(const struct screen_context *c, const struct record *r, unsigned width, struct lines *l);
	bool (*enter)(const struct screen_context *c, const struct record *r, struct target *target); /* may be NULL */
	const char *empty;            /* what it means that there are no rows */
	int sort;                     /* column that gives the order at first */
	unsigned mode;                /* bit of the columns that it shows; 0: all */
};

/* A key that switches a flag, puts a column in charge, leaves rows with another text than the selected one's out, or
 * (all 0) leads to the next view. */
struct table_toggle {
	int key, other_key;
	unsigned flag;
	int column, only; /* and 1 */
};

struct table_screen {
	const struct table_view *views;
	const struct table_toggle *toggles; /* ends with key 0; NULL: none */
	bool detail_first; /* what is below the table matters more than the table */
	bool no_tabs;
};

struct table_state {
	const struct table_screen *screen;
	const struct table_view *view;
	struct table table;
	unsigned flags;
	struct lines detail;
	unsigned detail_top, tabs_row, gap; /* gap: between two tabs */
	const struct table_view *tabs; /* the first that is drawn there */
};

int table_screen_open(const struct screen_context *c, const struct screen *s, void *state);
void table_screen_update(const struct screen_context *c, void *state);
void table_screen_draw(const struct screen_context *c, void *state, struct grid *g, const struct area *a);
unsigned table_screen_height(const struct screen_context *c, const void *state);
bool table_screen_key(const struct screen_context *c, void *state, const struct key_event *e);
bool table_screen_enter(const struct screen_context *c, void *state, struct target *target);
void table_screen_close(void *state);
/* The view of that name, if it is one of the screen's. */
bool table_screen_has(const struct screen *s, const char *view);
void table_screen_show(void *state, const char *view);
const char *table_screen_shown(const void *state);
void table_screen_rewind(void *state); /* to the first row */

#define TABLE_SCREEN(data)                                                                         \
	.table = (data), .state_size = sizeof(struct table_state), .open = table_screen_open,      \
	.update = table_screen_update, .draw = table_screen_draw, .height = table_screen_height,   \
	.key_press = table_screen_key, .enter = table_screen_enter, .close = table_screen_close

#define TABLE_KEYS                                                                                 \
	{"/", "Search", "by name; n finds the next, Enter keeps what was found marked, Escape does not"}, \
	{"F4", "Filter", "only rows in which a text is; \\, too; Enter keeps it, Escape shows all again"}, \
	{"< >", "Sort", "the column to the left or to the right (F6, too) gives the order; so does a click on its title"}, \
	{"I", NULL, "turn the order round"},                                                       \
	{"F", NULL, "follow the selected row wherever the order takes it; Home ends that"},        \
	{"arrows PgUp PgDn Home End", NULL, "move; j k g G, wheel and click, too"}

#define SCROLL_KEY {"J K", NULL, "scroll what is below the table"}

/* Of a screen that is several tables and has no keys of its own. */
extern const struct key_help table_tabs_keys[];
