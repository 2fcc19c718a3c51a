// SPDX-License-Identifier: BSD-2-Clause
/* bench-screens: what the live screen costs on a made-up machine with 2,000 threads and 500 connections at 200x60: a
 * second's refresh of each screen, the way from a key to the screen, and memory with ten minutes to look back at. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "histogram.h"
#include "mem.h"
#include "store_write.h"
#include "ui.h"

enum { PROCESSES = 200, THREADS = 2000, CONNECTIONS = 500, STACKS = 20000, FRAMES = 6000, CPUS = 16, SLICES = 600, ROUNDS = 10 };

enum {
	M_RUNNING = 1, M_RUNNABLE, M_POLL, M_LOCK, M_CPU_TIME, M_WAIT_LOCK, M_WAIT_POLL, M_WAKER, M_LATENCY, M_USER, M_SYSTEM, M_SENT, M_RECEIVED, M_NOT_READ,
	M_ROUND_TRIP, M_IO_TIME, M_DISK_BUSY, METRICS
};
static const char *const metrics[METRICS] = {
	[M_RUNNING] = "task.running", [M_RUNNABLE] = "task.runnable", [M_POLL] = "offcpu.poll", [M_LOCK] = "offcpu.lock",
	[M_CPU_TIME] = "cpu.time", [M_WAIT_LOCK] = "wait.lock", [M_WAIT_POLL] = "wait.poll", [M_WAKER] = "waker", [M_LATENCY] = "runqueue.latency",
	[M_USER] = "cpu.user", [M_SYSTEM] = "cpu.system", [M_SENT] = "connection.sent", [M_RECEIVED] = "connection.received",
	[M_NOT_READ] = "connection.not_read", [M_ROUND_TRIP] = "connection.round_trip", [M_IO_TIME] = "io.time", [M_DISK_BUSY] = "disk.busy",
};
enum { FIRST_CONNECTION = CPUS + 1, A_DISK = FIRST_CONNECTION + CONNECTIONS, FIRST_LOCK, LOCKS = 50 };

static uint64_t seed = 88172645463325252ull;

static uint32_t draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed % below);
}

static void add_resources(struct store *s)
{
	char name[64];

	for (uint32_t i = 1; i < FIRST_LOCK + LOCKS; i++) {
		const char *kind = i <= CPUS ? "cpu" : i < A_DISK ? "service" : i == A_DISK ? "disk" : "futex";

		snprintf(name, sizeof(name), i <= CPUS ? "%u" : "10.0.0.1:%u", i <= CPUS ? i - 1 : i);
		store_add_resource(s, i, kind, name);
	}
}

static void add_names(struct store *s)
{
	char name[64];

	for (uint32_t i = 1; i < METRICS; i++)
		store_add_metric(s, i, metrics[i], "ns", "");
	add_resources(s);
	for (uint32_t i = 1; i <= PROCESSES; i++) {
		snprintf(name, sizeof(name), "/system.slice/service-%u.service", i);
		store_add_cgroup(s, i, name);
		store_put_process(s, &(struct process_row){.id = i, .pid = 1000 + i, .ppid = 1, .cgroup = i, .comm = "service",
			.command = "/usr/bin/service --with --arguments", .end_ns = UINT64_MAX, .exit_status = -1});
	}
	for (uint32_t i = 1; i <= THREADS; i++)
		store_put_task(s, &(struct task_row){.id = i, .process = i % PROCESSES + 1, .tid = 2000 + i, .comm = "worker",
						     .end_ns = UINT64_MAX});
	for (uint32_t i = 1; i <= 40; i++)
		store_put_module(s, i, i == 1 ? "kernel" : "elf", i == 1 ? "[kernel]" : "/usr/lib/libx.so", NULL, 0);
	for (uint32_t i = 1; i <= FRAMES; i++) {
		snprintf(name, sizeof(name), "function_number_%u", i / 3);
		store_add_symbol(s, i, i % 40 + 1, name, NULL, 0, 0);
		store_add_frame(s, i, i % 40 + 1, i);
		store_name_frame(s, i, i, 0);
	}
	/* Trees some thirty deep, as programs have them. */
	for (uint32_t i = 1; i <= STACKS; i++)
		store_add_stack(s, i, i % 32 ? i - 1 : 0, 1 + draw(FRAMES));
}

static void sample(struct store *s, uint32_t slice, uint32_t metric, uint32_t task, uint32_t stack, uint32_t resource, uint64_t ns)
{
	store_add_sample(s, &(struct sample_row){slice, metric, task, stack, resource, 1 + ns / NS_PER_MS, ns});
}

static void add_slice(struct store *s, uint32_t id)
{
	store_begin(s);
	for (uint32_t i = 1; i <= THREADS; i++) {
		sample(s, id, M_RUNNING, i, 0, 0, draw(8) * NS_PER_MS);
		sample(s, id, M_RUNNABLE, i, 0, 0, draw(3) * NS_PER_MS);
		sample(s, id, M_POLL, i, 0, 0, 900 * NS_PER_MS);
	}
	for (uint32_t i = 0; i < 99 * CPUS / 2; i++)
		sample(s, id, M_CPU_TIME, 1 + draw(THREADS), 1 + draw(STACKS), 0, 10 * NS_PER_MS);
	for (uint32_t i = 0; i < 800; i++) {
		uint32_t task = 1 + draw(THREADS), stack = 1 + draw(STACKS), lock = FIRST_LOCK + draw(LOCKS);

		sample(s, id, i % 2 ? M_WAIT_LOCK : M_WAIT_POLL, task, stack, i % 2 ? lock : 0, 5 * NS_PER_MS);
		store_add_edge(s, &(struct edge_row){.slice = id, .kind = M_WAKER, .task = task, .stack = stack, .resource = lock,
			.other_task = 1 + draw(THREADS), .other_stack = 1 + draw(STACKS), .count = 1, .ns = 5 * NS_PER_MS});
	}
	for (uint32_t i = 0; i < CONNECTIONS; i++) {
		sample(s, id, M_SENT, 1 + i % THREADS, 0, FIRST_CONNECTION + i, 1000);
		sample(s, id, M_RECEIVED, 1 + i % THREADS, 0, FIRST_CONNECTION + i, 5000);
		store_add_histogram(s, id, M_ROUND_TRIP, FIRST_CONNECTION + i, histogram_bucket(250000 + 1000 * i), 10);
	}
	for (uint32_t i = 1; i <= CPUS; i++) {
		store_add_gauge(s, id, M_USER, i, draw(90));
		store_add_gauge(s, id, M_SYSTEM, i, draw(10));
		for (int k = 0; k < 20; k++)
			store_add_histogram(s, id, M_LATENCY, i, histogram_bucket(1000u << (k / 2)), 10);
	}
	store_add_gauge(s, id, M_DISK_BUSY, A_DISK, draw(100));
	sample(s, id, M_IO_TIME, 1 + draw(THREADS), 0, A_DISK, 100 * NS_PER_MS);
	store_add_slice(s, id, (id - 1) * NS_PER_S, id * NS_PER_S);
	store_commit(s);
}

static void press(struct ui *ui, int code)
{
	ui_key(ui, &(struct key_event){.code = code});
}

static double ms_since(uint64_t start)
{
	return (double)(clock_cpu_ns() - start) / 1e6;
}

int main(void)
{
	static const struct {
		const char *name, *before;
		int key;
	} screens[] = {
		{"1 overview", "", '1'}, {"2 processes", "", '2'}, {"3 findings", "", '3'}, {"4 functions", "", '4'}, {"5 waits", "", '5'},
		{"6 locks", "", '6'}, {"7 disks", "", '7'}, {"8 network", "", '8'}, {"9 memory", "", '9'}, {"0 pauses", "", '0'},
		{"flame graph", "", 'f'}, {"the same, of who ended waits", "f\t\t1", 'f'},
	};
	struct store *s;
	struct ui *ui;
	struct grid *g = grid_new(60, 200);
	struct rusage usage;
	uint32_t id = 1;
	bool changed;

	if (store_create(":memory:", &s) < 0 || ui_new(s, &(struct ui_options){.window_ns = NS_PER_S, .keep_ns = 600 * NS_PER_S,
									       .keep_bytes = 64 << 20}, &ui) < 0)
		return 1;
	store_begin(s);
	add_names(s);
	store_commit(s);
	for (; id <= SLICES; id++) {
		add_slice(s, id);
		ui_update(ui, &changed);
	}
	printf("| screen | refresh, ms of CPU | from the key, ms | the same, 10 min looked at |\n|---|---|---|---|\n");
	for (size_t n = 0; n < ARRAY_SIZE(screens); n++) {
		double refresh = 0, to_screen, wide;
		uint64_t start;

		for (const char *key = screens[n].before; *key; key++)
			press(ui, *key);
		start = clock_cpu_ns();
		press(ui, screens[n].key);
		ui_draw(ui, g);
		to_screen = ms_since(start);
		for (int i = 0; i < ROUNDS; i++) {
			add_slice(s, id++);
			start = clock_cpu_ns();
			ui_update(ui, &changed);
			ui_draw(ui, g);
			refresh += ms_since(start) / ROUNDS;
		}
		press(ui, '1');
		for (int i = 0; i < 9; i++)
			press(ui, '+');
		start = clock_cpu_ns();
		press(ui, screens[n].key);
		ui_draw(ui, g);
		wide = ms_since(start);
		for (int i = 0; i < 9; i++)
			press(ui, '-');
		printf("| %s | %.1f | %.1f | %.1f |\n", screens[n].name, refresh, to_screen, wide);
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("\nmemory at most: %ld MB\n", usage.ru_maxrss / 1024);
	ui_free(ui);
	store_free(s);
	grid_free(g);
	return 0;
}
