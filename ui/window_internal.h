/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the window's own files only. */
#pragma once
#include "hash.h"
#include "histogram.h"
#include "window.h"

struct query;

enum stream { SAMPLES, LEVELS, LATENCIES, STREAMS };

/* Rows are written slice by slice: each slice's are a range of rowids. */
struct rows {
	int64_t first, end; /* end: behind the last */
};

struct slice {
	uint64_t start_ns, end_ns;
	struct rows rows[STREAMS];
};

/* A state that fills slices from end to end. */
struct span {
	uint32_t id, task, first, last; /* last 0: it goes on */
	enum state state;
};

struct metric {
	uint32_t id;
	char *name;
	int state; /* enum state, or -1 */
	bool latency;
};

struct level {
	uint32_t metric, resource;
	double sum, ns_sum; /* of values, and of values times ns */
};

struct cpu_resource {
	uint32_t resource;
	uint32_t cpu;
};

struct window {
	struct store *store;
	window_user *user;
	void *user_arg;

	struct slice *slices; /* slices[i] has id oldest + i */
	uint32_t oldest, slice_count, slice_capacity;
	int64_t seen[STREAMS]; /* rowid of the last row that belongs to a slice we know */
	uint32_t first, last;  /* what is shown; 0 nothing */
	uint64_t shown_ns, shown_end_ns;
	bool stale;            /* a part of it is gone from the store */

	struct query *rows[STREAMS];
	struct query *ask_span, *ask_thread, *ask_process;

	struct metric *metrics;
	uint32_t metric_count, metric_capacity;
	struct cpu_resource *cpus;
	uint32_t cpu_count, cpu_capacity, seen_resource;

	struct span *spans;
	uint32_t span_count, span_capacity, seen_span;

	struct window_thread *threads;
	uint32_t thread_count, thread_capacity;
	struct map *thread_index;
	struct window_process *processes;
	uint32_t process_count, process_capacity;
	struct map *process_index;

	struct level *levels;
	uint32_t level_count, level_capacity;
	uint64_t latency[HISTOGRAM_BUCKETS];
};

/* window_tasks.c: who the threads and processes are */
int window_prepare_tasks(struct window *w);
void window_tasks_done(struct window *w);
struct window_thread *window_find_thread(struct window *w, uint32_t id); /* made when it is new */
int window_refresh_tasks(struct window *w); /* names that may have changed */
void window_drop_ended(struct window *w);   /* those that nothing in the window is about */

/* window_levels.c: gauges and histograms */
const struct metric *window_metric(struct window *w, uint32_t id); /* NULL: not in the store */
int window_read_names(struct window *w);
void window_add_level(struct window *w, uint32_t metric, uint32_t resource, double value, double ns, int sign);
