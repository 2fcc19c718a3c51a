/* SPDX-License-Identifier: BSD-2-Clause */
/* Shows a grid on the user's terminal and tells what the user does. However the process ends, the
 * terminal is left as it was found: on close, on a stop by Ctrl-Z, on a crash, and when it is killed (ui/terminal_guard.h). */
#pragma once
#include "grid.h"
#include "key.h"

struct loop;
struct terminal;

struct terminal_events {
	int (*key)(void *arg, const struct key_event *e); /* a negative errno ends the loop */
	int (*redraw)(void *arg); /* the size is another, or the screen was lost: draw and show */
	void *arg;
};

/* After terminal_guard_start(). One at a time. */
int terminal_open(struct loop *l, const struct terminal_events *e, struct terminal **ret_terminal);
void terminal_close(struct terminal *t); /* NULL is fine */

struct grid *terminal_grid(struct terminal *t); /* as large as the terminal; draw on it, then show it */
void terminal_show(struct terminal *t);

DEFINE_CLEANUP(struct terminal *, terminal_close)
