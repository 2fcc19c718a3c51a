/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures this machine into a store, slice by slice, from an event loop. What `record` writes to a
 * file and what `top` looks at in memory comes the same way. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cleanup.h"
#include "cpus.h"

struct recorder;
struct store;
struct loop;

struct recorder_options {
	uint64_t frequency;      /* samples a second on each CPU */
	uint64_t slice_ns;
	uint64_t first_slice_ns; /* 0: as long as the others */
	uint32_t pid;            /* 0: every process; else this one, its children and theirs */
	const char *cgroup;      /* NULL: every one; else this path and all below it */
	const struct cpus *cpus; /* NULL: all */
	double most_overhead;    /* share of all CPUs that perfscope may take; 0: any */
	uint32_t stack_bytes;    /* of a user stack copied at the most: 4096 .. 262144, in whole pages; 0: 65536 */
	bool include_own;        /* perfscope's own samples, too */
	bool inlined;            /* expand inlined functions */
	bool in_parts;           /* begin with what is there first: what takes longer to load comes into the first slices */
	const char *const *on_demand; /* probes that are only loaded when asked for, ends with NULL; NULL: none */
	const char *events;      /* pmu_events.h, for the probe pmu; NULL: those of the hardware */
	pid_t command;           /* a child of ours that is not perfscope: the command to be recorded; 0 none */
	const char *invocation;  /* how perfscope was called, for the recording */
	void (*slice)(void *arg); /* after each slice is written; may be NULL */
	void *arg;
};

/* What it has cost and lost; all since the start. */
struct recorder_stats {
	uint64_t slices, records, samples;
	uint64_t cpu_ns;                    /* of the recorder's process */
	uint64_t memory_bytes, kernel_bytes; /* resident, largest; BPF maps */
	uint64_t lost_records, lost_threads, lost_mappings;
	uint64_t unnamed;                   /* frames whose names were still awaited at the end */
};

/* Loads and attaches everything and begins the first slice. -EPERM and the like come with a message that
 * says what is missing. The loop must run for the recording to go on. */
int recorder_new(struct store *s, struct loop *l, const struct recorder_options *o, struct recorder **ret_recorder);

/* Closes the last slice, waits a moment for missing names, and detaches everything. */
int recorder_stop(struct recorder *r);
void recorder_free(struct recorder *r);

struct recorder_stats recorder_stats(const struct recorder *r);
/* Of its BPF programs of one kind, since they were loaded: runs, those that were timed, and the time of these. Of its own processes,
 * since they began: their time, without runs. False behind the last. */
struct recorder_cost {
	const char *name;
	uint64_t runs, timed_runs, ns;
};
bool recorder_cost(const struct recorder *r, unsigned i, struct recorder_cost *ret_cost);
unsigned recorder_cost_period(void); /* of so many runs one is timed */
uint64_t recorder_elapsed_ns(const struct recorder *r);
/* The i-th probe that does not work here, and why; NULL behind the last. */
const char *recorder_unavailable(const struct recorder *r, uint32_t i, const char **ret_reason);

DEFINE_CLEANUP(struct recorder *, recorder_free)
