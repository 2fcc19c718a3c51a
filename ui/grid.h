/* SPDX-License-Identifier: BSD-2-Clause */
/* A screen of character cells, drawn without knowing where it is shown: on a terminal, as plain
 * text, in a test. Everything put on it is clipped to it. Text may be foreign: it is escaped
 * (base/escape.h) and measured in cells. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "cleanup.h"

/* What a cell means; the terminal knows how that looks. */
enum style {
	STYLE_NORMAL,
	STYLE_DIM,
	STYLE_STRONG,
	STYLE_HEADER,   /* a table's head */
	STYLE_SORTED,   /* the column in it that gives the order */
	STYLE_SELECTED, /* the row that keys act on */
	STYLE_MATCH,    /* found by a search */
	STYLE_KEY,      /* a key in the footer */
	STYLE_HINT,     /* what it does */
	STYLE_GOOD,
	STYLE_WARNING,
	STYLE_CRITICAL,
	STYLE_RUNNING,  /* parts of a thread's time */
	STYLE_RUNNABLE,
	STYLE_LOCK,
	STYLE_DISK,
	STYLE_MEMORY,
	STYLE_NETWORK,
	STYLE_OTHER,
	STYLE_STOPPED,
	STYLE_SLEEPING,
	STYLE_USER,     /* parts of a CPU's time */
	STYLE_SYSTEM,
	STYLE_IRQ,
	STYLE_STEAL,
	STYLE_FLAME_USER, /* frames of a flame graph, by kind of code: each has a second shade behind it */
	STYLE_FLAME_USER_2,
	STYLE_FLAME_KERNEL,
	STYLE_FLAME_KERNEL_2,
	STYLE_FLAME_DYNAMIC,
	STYLE_FLAME_DYNAMIC_2,
	STYLE_FLAME_TASK,
	STYLE_FLAME_TASK_2,
	STYLE_FLAME_UNKNOWN,
	STYLE_FLAME_UNKNOWN_2,
	STYLE_FLAME_MATCH,
	STYLE_COUNT
};

struct cell {
	char text[14];  /* UTF-8, one character and its combining marks; empty: right half of a wide one */
	uint8_t width;  /* 1 or 2; 0 for the right half */
	uint8_t style;  /* enum style */
};

struct grid {
	unsigned rows, columns;
	struct cell *cells; /* row by row */
};

/* A part of a grid, for those who draw one thing among others. */
struct area {
	unsigned row, column, rows, columns;
};

struct grid *grid_new(unsigned rows, unsigned columns); /* blank */
void grid_free(struct grid *g); /* NULL is fine */
void grid_resize(struct grid *g, unsigned rows, unsigned columns); /* blank afterwards */
void grid_clear(struct grid *g);
struct cell *grid_cell(const struct grid *g, unsigned row, unsigned column); /* NULL outside */

/* At most `width` cells of text; what does not fit ends with an ellipsis. Returns the cells used. */
unsigned grid_put(struct grid *g, unsigned row, unsigned column, unsigned width, enum style style,
		  const char *text);
unsigned grid_putf(struct grid *g, unsigned row, unsigned column, unsigned width, enum style style,
		   const char *format, ...) __attribute__((format(printf, 6, 7)));
/* Against the right end of the width. */
void grid_put_right(struct grid *g, unsigned row, unsigned column, unsigned width, enum style style,
		    const char *text);
void grid_fill(struct grid *g, unsigned row, unsigned column, unsigned width, enum style style,
	       const char *character);
/* Cells of that width that the text takes once it is escaped. */
unsigned grid_text_width(const char *text);
void grid_restyle(struct grid *g, unsigned row, unsigned column, unsigned width, enum style style);

/* Appends the text, a line a row, without blanks at the ends of lines. */
void grid_dump(const struct grid *g, struct buf *text);

DEFINE_CLEANUP(struct grid *, grid_free)
