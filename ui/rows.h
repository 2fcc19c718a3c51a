/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes or threads of a window as an ordered list. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "focus.h"
#include "window.h"

struct row {
	const struct window_process *process; /* NULL: a control group with all below it */
	const struct window_thread *thread; /* NULL: the whole process */
	const char *group;                  /* the control group's path, if it is one */
	const struct state_times *times;
	uint64_t window_ns;
	uint64_t resident; /* bytes; 0: not known */
	uint32_t threads;
	uint32_t depth;  /* in the tree */
	uint64_t branch; /* bit i: the ancestor at depth i has a sibling below */
};

enum row_field { ROW_PID, ROW_TID, ROW_CPU, ROW_RUNNABLE, ROW_LOCK, ROW_DISK, ROW_BLOCKED, ROW_THREADS, ROW_SWITCHES,
		 ROW_RESIDENT, ROW_TIME, ROW_PRIORITY, ROW_NICE, ROW_FIELDS };

struct row_order {
	bool threads; /* each thread, not each process */
	bool tree;    /* below its parent, threads below their process */
	bool groups;  /* in the tree, processes stand below their control group */
	bool reverse; /* the largest first */
	enum row_field field;
	const struct focus *focus; /* processes that are left out; NULL: none is */
};

struct row_list {
	struct arena *memory;
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
/* Name as people know it: command line without the folder, or the name alone; a control group's last part. */
const char *row_command(const struct row *r);

/* rows_group.c: control groups of the processes that are there, with what is below them added up. */
void rows_add_groups(struct row_list *r);
size_t group_parent_length(const char *path, size_t len); /* "/a/b": 2, "/a": 1, "/": 0 */
