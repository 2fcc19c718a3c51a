// SPDX-License-Identifier: BSD-2-Clause
/* busy-recording FILE: a recording as ten minutes of a busy machine with 16 CPUs leave it, made up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "mem.h"
#include "store_write.h"

enum { SLICES = 600, PROCESSES = 60, THREADS = 300, STACKS = 20000, CPUS = 16, SAMPLES = 500, FRAMES = 6000,
       MODULES = 40 };

static const char *const metrics[] = {
	"task.running", "task.runnable", "task.sleeping", "task.disk", "task.stopped", "runqueue.latency", "cpu.time",
	"cpu.user", "cpu.system", "cpu.idle", "load", "self.cpu", "self.bpf", "self.memory", "self.kernel_memory",
};

static uint32_t metric(const char *name)
{
	uint32_t i = 0;

	while (strcmp(metrics[i], name))
		i++;
	return i + 1;
}

static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void add_tasks(struct store *s)
{
	for (uint32_t i = 1; i <= PROCESSES; i++) {
		_cleanup_free_ char *comm = xasprintf("service-%u", i), *command = xasprintf("/usr/bin/%s --all", comm);
		_cleanup_free_ char *path = xasprintf("/system.slice/%s", comm);

		store_add_cgroup(s, i, path);
		store_put_process(s, &(struct process_row){.id = i, .pid = 1000 + i, .ppid = 1, .cgroup = i, .comm = comm,
			.command = command, .end_ns = UINT64_MAX, .exit_status = -1});
	}
	for (uint32_t i = 1; i <= THREADS; i++)
		store_put_task(s, &(struct task_row){.id = i, .process = i % PROCESSES + 1, .tid = 1000 + i,
						     .comm = "worker", .end_ns = UINT64_MAX});
}

static void add_code(struct store *s, uint64_t *state)
{
	for (uint32_t i = 1; i <= MODULES; i++) {
		_cleanup_free_ char *path = xasprintf("/usr/lib/x86_64-linux-gnu/lib%u.so", i);

		store_put_module(s, i, i == 1 ? "kernel" : "elf", i == 1 ? "[kernel]" : path, NULL, 0);
	}
	for (uint32_t i = 1; i <= FRAMES; i++) {
		_cleanup_free_ char *name = xasprintf("function_number_%u", i / 3);

		store_add_symbol(s, i, i % MODULES + 1, name, NULL, i * 64, 64);
		store_add_frame(s, i, i % MODULES + 1, i * 64 + 5);
		store_name_frame(s, i, i, 0);
	}
	/* Each process has its own: a trunk of twenty frames, and branches of some more. */
	for (uint32_t i = 1; i <= STACKS; i++) {
		uint32_t n = (i - 1) / PROCESSES, back = n < 20 ? 1 : (uint32_t)(draw(state) % (n < 60 ? 5 : 60) + 1);

		store_add_stack(s, i, n ? i - back * PROCESSES : 0, (uint32_t)(draw(state) % FRAMES + 1));
	}
}

static uint32_t draw_stack(uint64_t *state, uint32_t task)
{
	return (uint32_t)(draw(state) % (STACKS / PROCESSES)) * PROCESSES + task % PROCESSES + 1;
}

/* The n-th process uses an n-th of what the first does; all of them 14.4 CPUs of the 16. */
static uint64_t running_ns(uint32_t task)
{
	return 3 * NS_PER_S / (task % PROCESSES + 1) * PROCESSES / THREADS;
}

static uint32_t draw_task(uint64_t *state)
{
	uint32_t task;

	do
		task = (uint32_t)(draw(state) % THREADS + 1);
	while (draw(state) % running_ns(PROCESSES) > running_ns(task));
	return task;
}

static void add_slice(struct store *s, uint32_t slice, uint64_t *state)
{
	for (uint32_t task = 1; task <= THREADS; task++) {
		uint64_t running = running_ns(task), rest = NS_PER_S - running;

		for (uint32_t m = 1; m <= 3; m++)
			store_add_sample(s, &(struct sample_row){.slice = slice, .metric = m, .task = task, .count = 30,
				.value = m == 1 ? running : m == 2 ? rest / 50 : rest - rest / 50});
	}
	for (uint32_t i = 0; i < SAMPLES; i++) {
		uint32_t task = draw_task(state);

		store_add_sample(s, &(struct sample_row){.slice = slice, .metric = metric("cpu.time"), .task = task,
			.stack = draw_stack(state, task), .count = 3, .value = 3 * NS_PER_S / 99});
	}
	for (uint32_t cpu = 1; cpu <= CPUS; cpu++) {
		store_add_gauge(s, slice, metric("cpu.user"), cpu, 70);
		store_add_gauge(s, slice, metric("cpu.system"), cpu, 20);
		store_add_gauge(s, slice, metric("cpu.idle"), cpu, 10);
		for (uint32_t bucket = 60; bucket < 160; bucket++)
			store_add_histogram(s, slice, metric("runqueue.latency"), cpu, bucket, 200 - bucket);
	}
	store_add_gauge(s, slice, metric("load"), 0, 15);
	store_add_gauge(s, slice, metric("self.cpu"), 0, 4e6);
	store_add_gauge(s, slice, metric("self.bpf"), 0, 3e6);
	store_add_gauge(s, slice, metric("self.memory"), 0, 20e6);
	store_add_gauge(s, slice, metric("self.kernel_memory"), 0, 8e6);
	store_add_slice(s, slice, (slice - 1) * NS_PER_S, slice * NS_PER_S);
}

static int fill(struct store *s)
{
	uint64_t state = 88172645463325252;
	int r = store_begin(s);

	store_set_text(s, "host", "bench");
	store_set_text(s, "kernel", "6.1.0");
	store_set_text(s, "machine", "x86_64");
	store_set_text(s, "sampled_by", "cycles");
	store_set_int(s, "start_wall_ns", 1767225600 * (int64_t)NS_PER_S);
	store_set_int(s, "memory_bytes", 64ll << 30);
	store_set_int(s, "frequency", 99);
	store_set_int(s, "cpus", CPUS);
	for (uint32_t i = 0; i < ARRAY_SIZE(metrics); i++)
		store_add_metric(s, i + 1, metrics[i], i < 7 ? "ns" : "%", "");
	for (uint32_t cpu = 1; cpu <= CPUS; cpu++) {
		_cleanup_free_ char *name = xasprintf("%u", cpu - 1);

		store_add_resource(s, cpu, "cpu", name);
	}
	add_tasks(s);
	add_code(s, &state);
	for (uint32_t slice = 1; slice <= SLICES; slice++)
		add_slice(s, slice, &state);
	return r < 0 ? r : store_commit(s);
}

int main(int argc, char **argv)
{
	_cleanup_(store_freep) struct store *s = NULL;
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: busy-recording FILE\n");
		return 2;
	}
	if ((r = store_create(argv[1], &s)) < 0 || (r = fill(s)) < 0 || (r = store_finish(s)) < 0)
		fprintf(stderr, "busy-recording: %s\n", fail_message());
	return r < 0 ? 2 : 0;
}
