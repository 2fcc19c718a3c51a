/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes or threads of a window as an ordered list. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "window.h"

struct row {
	const struct window_process *process;
	const struct window_thread *thread; /* NULL: the whole process */
	const struct state_times *times;
	uint64_t window_ns;
	uint32_t depth;  /* in the tree */
	uint64_t branch; /* bit i: the ancestor at depth i has a sibling below */
};

enum row_field { ROW_PID, ROW_TID, ROW_CPU, ROW_RUNNABLE, ROW_LOCK, ROW_DISK, ROW_BLOCKED, ROW_THREADS, ROW_SWITCHES,
		 ROW_FIELDS };

struct row_order {
	bool threads; /* each thread, not each process */
	bool tree;    /* below its parent, threads below their process */
	bool reverse; /* the largest first */
	enum row_field field;
};

struct row_list {
	struct row *rows;
	uint32_t count, capacity;
};

/* Pointers into the window: valid until it is moved. */
void rows_build(struct row_list *r, const struct window *w, const struct row_order *order);
void rows_done(struct row_list *r);

double row_number(const struct row *r, enum row_field field);
double row_percent(const struct row *r, enum state state); /* of one CPU's time */
double row_blocked_percent(const struct row *r); /* of its threads' time; waiting for a CPU or for work is not blocked */
double row_switch_rate(const struct row *r);     /* a second */
bool row_ended(const struct row *r);
/* Name as people know it: command line without the folder, or the name alone. */
const char *row_command(const struct row *r);
