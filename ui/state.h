/* SPDX-License-Identifier: BSD-2-Clause */
/* What a thread's time is made of, in the order in which bars show it. */
#pragma once
#include <stdint.h>

#include "grid.h"

/* LOCK to STOPPED: held up by something. SLEEPING: waits for work, or for a time. */
enum state { RUNNING, RUNNABLE, LOCK, DISK, MEMORY, NETWORK, OTHER, STOPPED, SLEEPING, STATES };

struct state_kind {
	const char *name;
	const char *glyph;  /* one cell: readable without colours, too */
	enum style style;
	const char *help;
};
extern const struct state_kind state_kinds[STATES];

/* The state that a metric of the store is time of, -1 none. */
int state_of_metric(const char *name);

struct state_times {
	uint64_t ns[STATES];
	uint64_t switches;  /* times it left a CPU */
	uint64_t preempted; /* of those, while it wanted to go on */
};

uint64_t state_total(const struct state_times *t);
void state_add(struct state_times *t, const struct state_times *more);

/* Shares of the parts as cells of one row; no part that is there is lost while there is room. */
struct bar_part {
	double share; /* of 1 */
	const char *glyph;
	enum style style;
};
void bar_draw(struct grid *g, unsigned row, unsigned column, unsigned width, const struct bar_part *parts,
	      unsigned count);
