/* SPDX-License-Identifier: BSD-2-Clause */
/* What a probe's user side may do: the running capture as it sees it. Everything goes into one
 * shape, (slice, metric, task, stack, resource) -> (count, value), or one of its companions. */
#pragma once
#include <stdint.h>

#include "askers.h"
#include "cpus.h"
#include "disk_below.h"
#include "stacks.h"
#include "store_write.h"
#include "tasks.h"
#include "wire.h"

/* What a thread did for a while: it ran, as a sample says, or waited. Told as soon as the stack is known, which
 * may be a moment later. */
struct activity {
	uint32_t process, task, stack; /* ids of the recording */
	uint8_t state;                 /* enum task_state */
	uint64_t start_ns, end_ns;     /* CLOCK_MONOTONIC */
};

struct capture {
	struct store *store;
	struct tasks *tasks;
	struct mounts *mounts;
	struct kept_files *files; /* that probes read each slice */
	struct stacks *stacks;
	const struct kernel_text *text; /* where the kernel's functions lie */
	struct task_slot *task_slots; /* the kernel side's arrays, mapped */
	uint32_t task_slot_count;
	struct cpu_slot *cpu_slots;
	uint32_t cpu_count;           /* possible CPUs */
	struct cpus cpus;             /* that are sampled: online, and asked for */
	uint32_t online;              /* CPUs, whether they are sampled or not */
	uint64_t start_ns;            /* of the recording, CLOCK_MONOTONIC; 0 before it */
	uint32_t slice;               /* the open slice's id */
	uint64_t slice_start_ns;      /* CLOCK_MONOTONIC */
	bool filter;                  /* only processes that are `selected` */
	uint64_t frequency;           /* samples a second */
	const char *events;           /* that the pmu probe counts, with commas between them; NULL: the hardware's */
	const char *frequency_source; /* "cycles" or "cpu-clock"; set by oncpu */
	uint64_t lost_mappings;       /* of the side band, so far */
	uint64_t kernel_bytes;        /* memory of the shared maps */
	const struct governor *governor; /* NULL: what it costs is not bounded */

	/* Switches are not watched all the time when that costs too much: the clock of all accounts stands still meanwhile, and
	 * what they say of a slice is scaled. */
	uint64_t rest_since_ns;       /* 0: they are watched */
	uint64_t rested_ns;           /* in all, without the present rest */
	uint64_t resumed_ns;          /* when the last rest was over; 0: there was none */
	double account_scale;         /* of the slice that closes */

	struct past *past;            /* what threads did of late */
	struct askers syncers;        /* who waits until data is on a disk, and for how long */
	struct disk_sets disk_sets;
	int waits_link;               /* of the iterator over threads with TASK_VISIT; -1: there is none */

	/* Who wants to know of activities; NULL: nobody. */
	void (*active)(void *arg, const struct activity *a);
	void *active_arg;

	struct aggregate *aggregate;  /* capture.c's own */
};

void capture_init(struct capture *c);
void capture_done(struct capture *c);

/* Adds up within the open slice. What comes before the recording's start is not part of it. */
void capture_add(struct capture *c, uint32_t metric, uint32_t task, uint32_t stack, uint32_t resource,
		 uint64_t count, int64_t value);
/* One sample of what ran on a CPU for about ns, as soon as its stack is known: which may be a moment after the slice. */
void capture_add_run(struct capture *c, const struct thread *thread, const struct stack_capture *stack,
		     uint64_t time_ns, uint32_t metric, uint64_t ns);
void capture_active(struct capture *c, const struct activity *a);
void capture_gauge(struct capture *c, uint32_t metric, uint32_t resource, double value);
/* `count` of a histogram that is known already, or events that took so long, added up within the open slice. */
void capture_histogram(struct capture *c, uint32_t metric, uint32_t resource, uint32_t bucket, uint64_t count);
void capture_latency(struct capture *c, uint32_t metric, uint32_t resource, uint64_t ns, uint64_t count);
uint32_t capture_resource(struct capture *c, const char *kind, const char *name);
/* The same for things of which several may have one name. */
uint32_t capture_resource_keyed(struct capture *c, const char *kind, const char *key, const char *name);
struct resources *capture_resources(struct capture *c);
/* A thread's claim on what the kernel does for it: on a disk (major << 20 | minor; 0 any), and on those that it consists of. */
void capture_ask(struct capture *c, struct askers *a, uint32_t device, uint32_t task, uint64_t amount);
uint32_t capture_span_id(struct capture *c); /* a new one */

/* Writes what has been added up; the recorder's, as a slice closes. */
void capture_write(struct capture *c);

/* The accounts' clock at that time. */
uint64_t capture_watched_ns(const struct capture *c, uint64_t mono_ns);
bool capture_is_sparse(const struct capture *c); /* there was a rest in this slice */

/* A counter of the kernel side, of all CPUs; only grows. */
uint64_t capture_counter(const struct capture *c, enum counter which);

/* Nanoseconds since the recording's start. */
uint64_t capture_time(const struct capture *c, uint64_t mono_ns);
