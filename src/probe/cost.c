// SPDX-License-Identifier: BSD-2-Clause
#include "cost.h"

#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "clock.h"
#include "proc.h"

const char *cost_name(enum cost_of kind)
{
	static const char *const names[COST_COUNT] = {
		[COST_SWITCH] = "context switches", [COST_WAKING] = "wake-ups", [COST_SAMPLE] = "CPU samples",
		[COST_LIFE] = "processes and threads that begin and end", [COST_BLOCK] = "disk requests", [COST_IRQ] = "interrupts",
		[COST_RECLAIM] = "memory reclaim", [COST_TCP] = "connections", [COST_SERVICE] = "requests of services",
		[COST_FAULT] = "page faults", [COST_SYSCALL] = "system calls", [COST_SOFTIRQ] = "soft interrupts raised",
		[COST_DNS] = "name lookups", [COST_COLLECTION] = "garbage collections", [COST_PMU] = "hardware counters",
		[COST_SPACE] = "file systems without room",
	};

	return names[kind];
}

static bool is_own(const struct thread *thread)
{
	return thread->process->flags & PROCESS_OWN && thread->tid == thread->process->pid;
}

uint64_t cost_own_ns(const struct capture *c)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		const struct thread *thread = tasks_get(c->tasks, i);
		struct timespec t;
		clockid_t clock;

		if (!is_own(thread))
			continue;
		if (clock_getcpuclockid((pid_t)thread->tid, &clock) == 0 && clock_gettime(clock, &t) == 0)
			sum += (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	}
	return sum ? sum : clock_cpu_ns();
}

uint64_t cost_own_bytes(const struct capture *c)
{
	uint64_t most_shared = 0, sum = 0;
	struct proc_memory memory;

	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		const struct thread *thread = tasks_get(c->tasks, i);

		if (!is_own(thread) || proc_memory(c->files, thread->tid, &memory) < 0)
			continue;
		sum += memory.private;
		most_shared = memory.shared > most_shared ? memory.shared : most_shared;
	}
	if (!sum && proc_memory(c->files, (uint32_t)getpid(), &memory) >= 0)
		return memory.resident; /* what is not selected is not in the table */
	return sum + most_shared;
}

/* Each program times one run in COST_PERIOD: the mean of those, times all runs. */
uint64_t cost_bpf_ns(const struct capture *c, unsigned kinds)
{
	double sum = 0;

	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		for (int i = 0; i < COST_COUNT; i++) {
			const struct cost *cost = &c->cpu_slots[cpu].cost[i];

			if (kinds >> i & 1 && cost->timed_runs)
				sum += (double)cost->timed_ns / (double)cost->timed_runs * (double)cost->runs;
		}
	return (uint64_t)sum;
}

struct cost cost_bpf_sum(const struct capture *c, enum cost_of kind)
{
	struct cost sum = {0};

	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++) {
		const struct cost *cost = &c->cpu_slots[cpu].cost[kind];

		sum.runs += cost->runs;
		sum.timed_runs += cost->timed_runs;
		sum.timed_ns += cost->timed_ns;
	}
	return sum;
}
