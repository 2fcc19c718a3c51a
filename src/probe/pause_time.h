/* SPDX-License-Identifier: BSD-2-Clause */
/* Pauses of the last seconds, and what threads did in them: either may be known first. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct activity;

struct pause {
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
	uint32_t process, task;
	bool alone;                /* all that the task did counts; else that any of the process's threads ran,
				      and that the task was held up */
	uint32_t metric;
};

/* `ns` of the activity were in the pause. */
typedef void pause_time_found(void *arg, const struct pause *p, const struct activity *a, uint64_t ns);

struct pause_time;

struct pause_time *pause_time_new(pause_time_found *found, void *arg);
void pause_time_free(struct pause_time *t);

void pause_time_add(struct pause_time *t, const struct pause *p);
void pause_time_active(struct pause_time *t, const struct activity *a);
/* How much of that time is in pauses of this metric. */
uint64_t pause_time_known(const struct pause_time *t, uint32_t process, uint32_t metric, uint64_t start_ns, uint64_t end_ns);
void pause_time_forget(struct pause_time *t, uint64_t before_ns);
