// SPDX-License-Identifier: BSD-2-Clause
#include "cost.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "cleanup.h"
#include "clock.h"
#include "io.h"

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

/* Of files and shared memory, and of what is a process's alone; false: it has ended. */
static bool resident_pages(uint32_t pid, uint64_t *ret_shared, uint64_t *ret_alone)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	unsigned long long size, resident, shared;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/statm", pid);
	if (read_file(path, 4096, &b) < 0 || sscanf(b.data, "%llu %llu %llu", &size, &resident, &shared) != 3 || shared > resident)
		return false;
	*ret_shared = shared;
	*ret_alone = resident - shared;
	return true;
}

uint64_t cost_own_bytes(const struct capture *c)
{
	uint64_t most_shared = 0, sum = 0, shared, alone;

	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		const struct thread *thread = tasks_get(c->tasks, i);

		if (!is_own(thread) || !resident_pages(thread->tid, &shared, &alone))
			continue;
		sum += alone;
		most_shared = shared > most_shared ? shared : most_shared;
	}
	return (sum + most_shared) * (uint64_t)sysconf(_SC_PAGESIZE);
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
