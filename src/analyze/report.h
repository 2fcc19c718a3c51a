/* SPDX-License-Identifier: BSD-2-Clause */
/* What a machine did while it was recorded, as numbers: the part that is selected (store_select()).
 * Times are nanoseconds. Names come from other processes: escape them where they are shown. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "stack_view.h"

struct arena;
struct store;

/* Waits for a CPU, interpolated from a histogram (12.5 % wide). */
struct report_latency {
	uint64_t count, p50, p90, p99, max;
};

/* Percent of this CPU's time; busy is all but idle and iowait. */
struct report_cpu {
	const char *name;
	double busy, user, system, irq, steal, iowait;
	struct report_latency latency;
};

/* Exact time by state; blocked is sleeping, disk and stopped together. */
struct report_times {
	uint64_t running, runnable, sleeping, disk, stopped;
	uint64_t switches, preempted; /* times it left a CPU, and times it had to */
};

struct report_process {
	uint32_t id, pid, ppid, threads;
	const char *comm, *command, *cgroup; /* command is "" if it is not known */
	bool kernel, own;
	struct report_times times;
	int64_t start_ns, end_ns; /* since the recording's start; start 0: before it; end -1: still there */
	int exit_status;          /* as from wait(2); -1: unknown */
};

struct report_thread {
	uint32_t process; /* index in processes */
	uint32_t tid;
	const char *comm;
	struct report_times times;
};

/* Processes that ended while they were watched, by name. */
struct report_ended {
	const char *comm;
	uint64_t count, running, lifetime; /* lifetime: sum of theirs, since the recording's start */
};

struct report_function {
	const char *name, *module;
	enum code_kind kind;
	bool inlined;
	uint64_t self, total;   /* CPU time; total: with what it called, each stack once */
	uint64_t samples;       /* behind self */
};

enum report_loss { LOSS_RECORDS, LOSS_THREADS, LOSS_STACKS, LOSS_MAPPINGS, LOSS_SWITCHES, LOSSES };
extern const char *const report_loss_names[LOSSES];

struct report_cost {
	double cpu_percent, bpf_percent; /* of one CPU: its own processes, its BPF programs, */
	double asked_percent;            /* of that, those of probes that an option asked for */
	double memory, kernel_memory;    /* bytes, the highest */
	uint64_t lost[LOSSES];
};

/* What was done less of, to keep within --max-overhead. */
struct report_held {
	const char *name;
	double least; /* share of it that was left; 0: it was off */
	double part;  /* of the time in which it was below 1 */
};

struct report_gap {
	const char *probe, *reason;
};

struct report {
	const char *host, *kernel, *machine, *sampled_by, *filter_cgroup;
	uint64_t start_wall_ns;  /* of what is looked at */
	uint64_t from_ns, ns;    /* since the recording's start; its length */
	uint64_t recording_ns;   /* all of it */
	uint64_t cpus, frequency, memory_bytes, filter_pid;
	bool complete;           /* false: still being recorded, or cut off */
	bool redacted;           /* without command lines and the like */
	double busy, load, load_max;
	uint64_t samples, sampled_ns;
	struct report_latency latency;

	struct report_cpu *cpu;
	size_t cpu_count;
	struct report_process *processes; /* these and what follows: most CPU time first */
	size_t process_count;
	struct report_thread *threads;
	size_t thread_count;
	struct report_ended *ended;
	size_t ended_count;
	struct report_function *functions; /* by self */
	size_t function_count;
	struct report_cost cost;
	struct report_held *held;
	size_t held_count;
	struct report_gap *gaps; /* what could not be recorded */
	size_t gap_count;
	struct arena *memory;
};

int report_new(struct store *s, struct report **ret_report);
void report_free(struct report *r); /* NULL is fine */

/* The same functions by total, the longest first, of which at most `limit`; to be freed by the caller. */
struct report_function *report_by_total(const struct report *r, size_t limit, size_t *ret_count);

DEFINE_CLEANUP(struct report *, report_free)
