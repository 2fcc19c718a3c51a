/* SPDX-License-Identifier: BSD-2-Clause */
/* A screen: one file in ui/screens with a `const struct screen screen_NAME`, and one word in
 * meson's list. It reads the window and draws on cells; where these are shown it does not know. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "focus.h"
#include "grid.h"
#include "key.h"

struct store;
struct table_screen;
struct ui_options;
struct window;

struct key_help {
	const char *keys;  /* as written on them: "H", "< >" */
	const char *label; /* a word for the footer; NULL: only in the help */
	const char *text;
};

/* What a screen may look at. */
struct screen_context {
	struct store *store;
	const struct window *window;
	const struct ui_options *options; /* what the store does not tell */
	struct focus focus;
	const struct screen *const *screens; /* all, ends with NULL */
	const struct key_help *global_keys;  /* that work on every screen; ends with {0} */
};

/* Where Enter leads. */
struct target {
	const char *screen;  /* its name */
	struct focus focus;  /* as it was, until it is changed */
};

struct screen {
	const char *name;
	const char *label;           /* for the footer */
	int key;                     /* leads here from any other screen */
	const char *help;            /* one line */
	const struct key_help *keys; /* its own; ends with {0} */
	const struct table_screen *table; /* for the functions of ui/table_screen.h */
	bool whole;                  /* it needs no lines about the machine above it */
	bool from_top;               /* who comes by its key wants what is first there, not what was looked at before */
	bool detailed;               /* it wants all of them: otherwise one */
	int profile;                 /* kind of flame graph that goes with it (enum profile) */
	size_t state_size;           /* zeroed memory for the calls below */

	int (*open)(const struct screen_context *c, const struct screen *s, void *state); /* once, before all others; may be NULL */
	void (*update)(const struct screen_context *c, void *state); /* the window shows something else; may be NULL */
	void (*draw)(const struct screen_context *c, void *state, struct grid *g, const struct area *a);
	/* Rows that show all there is, for output that is not a screen; NULL: as many as there are. */
	unsigned (*height)(const struct screen_context *c, const void *state);
	/* false: not my key. */
	bool (*key_press)(const struct screen_context *c, void *state, const struct key_event *e);
	bool (*enter)(const struct screen_context *c, void *state, struct target *target); /* false: leads nowhere; may be NULL */
	/* The slice whose cell in a course is there; 0: none; may be NULL. */
	uint32_t (*slice_at)(const struct screen_context *c, const void *state, unsigned row, unsigned column);
	void (*close)(void *state); /* frees what the state holds; may be NULL */
};

extern const struct screen *const all_screens[]; /* the first is shown at start; from meson's list */
