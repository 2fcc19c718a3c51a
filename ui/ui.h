/* SPDX-License-Identifier: BSD-2-Clause */
/* The live view of a store: a header that says whether the machine is well, one of the screens, a
 * footer with keys. It draws on a grid and is told keys; terminal and recorder are its owner's. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grid.h"
#include "key.h"
#include "window.h"

struct store;
struct ui;

struct ui_finding {
	const char *id, *severity, *title; /* valid until the next call */
};

struct ui_options {
	uint64_t window_ns; /* at start */
	uint64_t keep_ns;   /* how far back the store goes; older slices are pruned from it; 0: all is kept */
	uint64_t keep_bytes; /* what it may take; the oldest tenth is pruned when it takes more; 0: no bound */
	/* What a store does not tell; each may be NULL. */
	window_user *user;
	size_t (*findings)(void *arg, struct ui_finding *findings, size_t most); /* worst first */
	void *arg;
};

/* The store must outlive it. */
int ui_new(struct store *s, const struct ui_options *o, struct ui **ret_ui);
void ui_free(struct ui *ui);

/* Slices were written: call it after each. False in ret_changed: nothing new is to be seen. */
int ui_update(struct ui *ui, bool *ret_changed);

void ui_draw(struct ui *ui, struct grid *g);
/* All rows, however many, on a grid of that width: for output that is not a terminal. */
void ui_draw_all(struct ui *ui, struct grid *g, unsigned columns);

enum ui_answer { UI_NOTHING, UI_REDRAW, UI_QUIT };
enum ui_answer ui_key(struct ui *ui, const struct key_event *e);

const struct window *ui_window(const struct ui *ui);

DEFINE_CLEANUP(struct ui *, ui_free)
