/* SPDX-License-Identifier: BSD-2-Clause */
/* The view thread_state without SQL's sorting: for readers that want all threads at once. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct store;

enum task_time { TIME_RUNNING, TIME_RUNNABLE, TIME_SLEEPING, TIME_DISK, TIME_STOPPED, TASK_TIMES };

struct task_times {
	uint32_t task;
	int64_t ns[TASK_TIMES];
	int64_t switches, preempted;
};

/* Every thread with time in the selected part, in no order; the caller frees the array. */
int store_task_times(struct store *s, struct task_times **ret_times, size_t *ret_count);
