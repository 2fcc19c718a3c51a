/* SPDX-License-Identifier: BSD-2-Clause */
/* The live view of a store: lines that say whether the machine is well, one of the screens, a footer with keys. It
 * draws on a grid and is told keys; terminal and recorder are its owner's. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grid.h"
#include "key.h"
#include "window.h"

struct store;
struct ui;

/* What is to be written into a file: the recording, or the stacks of a kind in a part of it as a flame graph. */
struct ui_save {
	const char *kind;         /* as in recorded.h; NULL: the recording */
	uint64_t from_ns, to_ns;
	uint32_t pid;             /* 0: all */
};

/* Answers are the owner's, valid until its next call. What is not known yet is NULL: the owner asks, and has the screen
 * drawn again when there is an answer. */
struct ui_options {
	uint64_t window_ns; /* at start */
	uint64_t patience_ns; /* what one call may take about; 0: no bound */
	uint64_t keep_ns;   /* how far back the store goes; older slices are pruned from it; 0: all is kept */
	uint64_t keep_bytes; /* what it may take; the oldest tenth is pruned when it takes more; 0: no bound */
	/* What a store does not tell; each may be NULL. */
	window_facts *facts;
	/* Array of findings as in perfscope.findings/1, worst first, with "number" (who it is from one time to the next),
	 * "since_ns" and "until_ns" (0: it lasts) in the recording's time. */
	const json_t *(*findings)(void *arg);
	/* Array of resources as in perfscope.report/1, of the part that is shown. */
	const json_t *(*resources)(void *arg, uint64_t from_ns, uint64_t to_ns);
	/* perfscope.annotate/1 of a function, or {"error": "..."}. */
	const json_t *(*annotation)(void *arg, const char *function, const char *module, bool intel);
	void (*save)(void *arg, const struct ui_save *what); /* says what came of it by ui_say() */
	void *arg;
};

/* The store must outlive it. */
int ui_new(struct store *s, const struct ui_options *o, struct ui **ret_ui);
void ui_free(struct ui *ui);

/* Slices were written: call it after each. False in ret_changed: nothing new is to be seen. */
int ui_update(struct ui *ui, bool *ret_changed);
/* More of the past is asked for than could be added up at once: ui_go_on() goes on with it, as soon as no key waits. */
bool ui_is_partial(const struct ui *ui);
int ui_go_on(struct ui *ui);
void ui_answered(struct ui *ui); /* an answer has come: what is shown is made anew */
void ui_say(struct ui *ui, const char *text); /* in the footer, until the next key */

void ui_draw(struct ui *ui, struct grid *g);
/* All rows, however many, on a grid of that width: for output that is not a terminal. */
void ui_draw_all(struct ui *ui, struct grid *g, unsigned columns);
/* A screen, or one of its tables, by name; false: there is none. */
bool ui_show(struct ui *ui, const char *screen);

enum ui_answer { UI_NOTHING, UI_REDRAW, UI_QUIT };
enum ui_answer ui_key(struct ui *ui, const struct key_event *e);

const struct window *ui_window(const struct ui *ui);

DEFINE_CLEANUP(struct ui *, ui_free)
