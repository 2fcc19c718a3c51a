/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the window's own files only. */
#pragma once
#include "hash.h"
#include "histogram.h"
#include "window.h"

struct query;

enum stream { SAMPLES, EDGES, LEVELS, LATENCIES, STREAMS };

/* Slices that the course of a level is kept for. */
enum { SERIES_SLICES = 600, MOST_SERIES = 4096 };

/* Rows are written slice by slice: each slice's are a range of rowids. */
struct rows {
	int64_t first, end; /* end: behind the last */
};

struct slice {
	uint64_t start_ns, end_ns;
	struct rows rows[STREAMS];
};

/* A state, or a wait at a stack, that fills slices from end to end. */
struct span {
	uint32_t id, task, first, last; /* last 0: it goes on */
	uint32_t metric, stack, resource;
	int state; /* enum state, or -1 */
};

struct metric {
	uint32_t id;
	char *name;
	int state; /* enum state, or -1 */
	bool lasting; /* written when it changes, until then it is as it was */
	bool resident; /* memory of a process, under its first thread */
	struct ledger samples, edges, latencies; /* of what is shown */
};

struct level {
	uint32_t metric, resource;
	double sum, ns_sum; /* of values, and of values times ns */
	float *course;      /* by slice modulo SERIES_SLICES; NULL: not kept */
	uint32_t first, newest; /* slices that it is known for; newest 0: none */
};

struct window {
	struct store *store;
	window_facts *facts;
	void *facts_arg;

	struct slice *slices; /* slices[i] has id oldest + i */
	uint32_t oldest, slice_count, slice_capacity;
	int64_t seen[STREAMS]; /* rowid of the last row that belongs to a slice we know */
	uint32_t first, last;  /* what is shown; 0 nothing */
	uint32_t wanted_first; /* what was asked for */
	uint64_t patience_ns;
	uint64_t shown_ns, shown_end_ns;
	bool stale;            /* a part of it is gone from the store */

	struct query *rows[STREAMS];
	struct query *ask_span, *ask_thread, *ask_process;

	struct metric *metrics;
	struct map *metric_index; /* hash of the name -> index */
	uint32_t metric_count, metric_capacity;
	struct window_resource *resources; /* by id */
	uint32_t resource_count, resource_capacity;
	uint32_t resources_named, resources_to_name; /* names below the first are final, those below the second soon */
	uint32_t resource_reads;
	char **former_names;
	uint32_t former_count, former_capacity;
	uint32_t *holes; /* ids of forgotten resources, in order; those before the next stand for others already */
	uint32_t hole_count, next_hole;
	uint32_t resources_forgotten; /* how often, as far as it is known here */
	uint32_t *cpus; /* ids of resources */
	uint32_t cpu_count, cpu_capacity;

	struct span *spans;
	uint32_t span_count, span_capacity, seen_span;

	struct window_thread *threads;
	uint32_t thread_count, thread_capacity;
	uint32_t ended_count; /* of the threads */
	uint32_t least_first; /* too many ended in slices before this one; 0: in none */
	struct map *thread_index;
	struct window_process *processes;
	uint32_t process_count, process_capacity;
	struct map *process_index;

	struct level *levels;
	uint32_t level_count, level_capacity;
	struct map *level_index; /* metric and resource -> index */

	struct ledger_row *lasting; /* waits that fill what is shown */
	uint32_t lasting_count, lasting_capacity;
	struct stack_view *stacks;
};

/* window_follow.c */
struct slice *window_slice(const struct window *w, uint32_t id); /* NULL: not known */

/* window_tasks.c: who the threads and processes are */
int window_prepare_tasks(struct window *w);
void window_tasks_done(struct window *w);
struct window_thread *window_find_thread(struct window *w, uint32_t id); /* made when it is new */
int window_refresh_tasks(struct window *w); /* names that may have changed */
void window_drop_ended(struct window *w);   /* those that nothing in the window is about */

/* window_names.c and window_levels.c: metrics, resources, gauges, histograms */
struct metric *window_metric(const struct window *w, uint32_t id); /* NULL: not in the store */
int window_read_names(struct window *w);
void window_add_level(struct window *w, uint32_t metric, uint32_t resource, double value, double ns, int sign);
void window_clear_levels(struct window *w); /* the sums */
void window_forget_levels(struct window *w); /* those of forgotten resources */
void window_note_level(struct window *w, uint32_t slice, uint32_t metric, uint32_t resource, double value);
void window_names_done(struct window *w);
