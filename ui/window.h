/* SPDX-License-Identifier: BSD-2-Clause */
/* A span of slices of a store, live or recorded, and what every thread, process and CPU did in it.
 * Moving it costs what enters and leaves, not what lies in between. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "state.h"
#include "ledger.h"

struct stack_view;
struct store;
struct window;

struct window_resource {
	char *kind, *name;
};

struct window_process {
	uint32_t id; /* in the store */
	uint32_t pid, ppid;
	bool kernel, own, ended;
	char *comm, *command, *cgroup, *user; /* never NULL */
	bool known;                           /* the three below; those of the last time that it was looked at */
	int nice, priority;                   /* as in /proc/PID/stat */
	uint64_t cpu_ns;                      /* since it began */
	struct state_times times;             /* of all its threads */
	uint32_t threads;                     /* that were there */
	uint64_t resident;                    /* bytes of memory, when it was last looked at; 0: not known */
	uint64_t resident_ns;                 /* when that was */
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

/* What a store does not tell of a process, as it is now. */
struct process_facts {
	const char *user; /* a name; valid until the next call */
	int nice, priority;
	uint64_t cpu_ns;
};
typedef bool window_facts(void *arg, uint32_t pid, struct process_facts *ret_facts); /* false: nobody knows */

int window_new(struct store *s, window_facts *facts, void *arg, struct window **ret_window);
void window_free(struct window *w);

/* Take note of slices that were written since. */
int window_follow(struct window *w);
/* Look at slices first..last, narrowed to those that are there. Pointers got before are void. */
int window_show(struct window *w, uint32_t first, uint32_t last);
/* The slices that end where `last` does and last for ns; 0 as last: the newest. */
int window_show_ns(struct window *w, uint32_t last, uint64_t ns);
/* What looking at other slices may take, about, before the rest of it is left to the next calls; 0, as at first: no bound.
 * The newest are shown first. */
void window_set_patience(struct window *w, uint64_t ns);
bool window_is_partial(const struct window *w); /* older slices were asked for, too, and are not among what is shown yet */
/* Slices before this one are gone from the store; what is shown stays until the next window_show(). True: so does what is known of
 * threads and processes, but pointers got before are void. */
bool window_forget(struct window *w, uint32_t first);

uint32_t window_newest(const struct window *w); /* 0: none yet */
uint32_t window_oldest(const struct window *w); /* that is there; 0: none yet */
uint32_t window_last(const struct window *w);
uint32_t window_slice_before(const struct window *w, uint64_t ns); /* the first not older than that before the newest */
uint64_t window_ns(const struct window *w);
uint64_t window_span_ns(const struct window *w, uint32_t first, uint32_t last); /* how long those slices are together */
uint64_t window_end_ns(const struct window *w); /* since the recording's start */
uint64_t window_newest_end_ns(const struct window *w); /* the end of the newest slice */
uint32_t window_slices(const struct window *w);        /* how many are shown */

uint32_t window_thread_count(const struct window *w);
const struct window_thread *window_thread(const struct window *w, uint32_t index);
uint32_t window_process_count(const struct window *w);
const struct window_process *window_process(const struct window *w, uint32_t index);

const struct window_thread *window_find(const struct window *w, uint32_t task); /* by id in the store; NULL: not in it */

/* Ids in the store; 0: there is none. */
uint32_t window_metric_id(const struct window *w, const char *name);
const char *window_metric_name(const struct window *w, uint32_t id); /* "" for none */
const struct window_resource *window_resource(const struct window *w, uint32_t id); /* "" and "" for none */
uint32_t window_resource_count(const struct window *w); /* ids are below it */

uint32_t window_next_metric(const struct window *w, uint32_t *cursor); /* ids of all, start with *cursor = 0; 0: no more */

/* What was sampled of a metric, by task, stack and resource; whole slices (spans) included. Start with *cursor = 0. The
 * metrics that are a thread's state have none: they are in its times. */
const struct ledger_row *window_next_sample(const struct window *w, uint32_t metric, uint32_t *cursor);
const struct ledger_row *window_next_edge(const struct window *w, uint32_t kind, uint32_t *cursor);
struct stack_view *window_stacks(const struct window *w);

/* CPUs that have levels, ascending; returns how many there are. */
uint32_t window_cpus(const struct window *w, uint32_t *cpus, uint32_t most);
uint32_t window_cpu_resource(const struct window *w, uint32_t cpu);
/* A gauge of a resource (0: of the machine), such as "cpu.user": mean over time; sum, for amounts; the last that is
 * known, for levels that are written when they change (NAN: none). */
double window_level(const struct window *w, const char *metric, uint32_t resource);
double window_level_sum(const struct window *w, const char *metric, uint32_t resource);
double window_level_last(const struct window *w, const char *metric, uint32_t resource);
bool window_has_level(const struct window *w, const char *metric, uint32_t resource);
/* Sets true at the ids of the resources for which the metric has something in the window, or a level that lasts. */
void window_mark_resources(const struct window *w, const char *metric, bool *known);
/* Its values in the last slices up to the end of what is shown, or up to a slice, the latest last. Returns how many. */
unsigned window_series(const struct window *w, const char *metric, uint32_t resource, double *values, unsigned most);
unsigned window_series_to(const struct window *w, const char *metric, uint32_t resource, uint32_t last, double *values,
			  unsigned most);

/* The value that the share (0..1) of a histogram stays below; resource 0: of all; 0: nothing was counted. The metric is
 * a name, or the beginning of names with a "*" behind it. */
uint64_t window_quantile(const struct window *w, const char *metric, uint32_t resource, double share);

DEFINE_CLEANUP(struct window *, window_free)
