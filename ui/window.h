/* SPDX-License-Identifier: BSD-2-Clause */
/* A span of slices of a store, live or recorded, and what every thread, process and CPU did in it.
 * Moving it costs what enters and leaves, not what lies in between. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "state.h"

struct store;
struct window;

struct window_process {
	uint32_t id; /* in the store */
	uint32_t pid, ppid;
	bool kernel, own, ended;
	char *comm, *command, *cgroup, *user; /* never NULL */
	struct state_times times;             /* of all its threads */
	uint32_t threads;                     /* that were there */
	uint32_t refreshed;                   /* slice in which the names were read */
};

struct window_thread {
	uint32_t id; /* in the store */
	uint32_t tid;
	uint32_t process; /* index for window_process() */
	char *comm;       /* never NULL */
	struct state_times times;
	struct state_times changes; /* the part that is added up slice by slice */
	uint32_t refreshed;
	bool ended;
};

/* Whose process it is: a name for the user; valid until the next call. NULL: nobody knows. */
typedef const char *window_user(void *arg, uint32_t pid);

int window_new(struct store *s, window_user *user, void *arg, struct window **ret_window);
void window_free(struct window *w);

/* Take note of slices that were written since. */
int window_follow(struct window *w);
/* Look at slices first..last, narrowed to those that are there. Pointers got before are void. */
int window_show(struct window *w, uint32_t first, uint32_t last);
/* The slices that end where `last` does and last for ns; 0 as last: the newest. */
int window_show_ns(struct window *w, uint32_t last, uint64_t ns);
/* Slices before this one are gone from the store; what is shown stays until the next window_show(). */
void window_forget(struct window *w, uint32_t first);

uint32_t window_newest(const struct window *w); /* 0: none yet */
uint32_t window_last(const struct window *w);
uint32_t window_slice_before(const struct window *w, uint64_t ns); /* the first not older than that before the newest */
uint64_t window_ns(const struct window *w);
uint64_t window_end_ns(const struct window *w); /* since the recording's start */

uint32_t window_thread_count(const struct window *w);
const struct window_thread *window_thread(const struct window *w, uint32_t index);
uint32_t window_process_count(const struct window *w);
const struct window_process *window_process(const struct window *w, uint32_t index);

/* CPUs that have levels, ascending; returns how many there are. */
uint32_t window_cpus(const struct window *w, uint32_t *cpus, uint32_t most);
/* Mean over time, and sum, of a level ("cpu.user", "load", "self.cpu"); cpu -1: not of a CPU. */
double window_level(const struct window *w, const char *metric, int cpu);
double window_level_sum(const struct window *w, const char *metric);
/* Run-queue latency that the share (0..1) of all waits for a CPU stays below, ns; 0: there was none. */
uint64_t window_latency(const struct window *w, double share);

DEFINE_CLEANUP(struct window *, window_free)
