// SPDX-License-Identifier: BSD-2-Clause
/* The machine as a whole: how each CPU spent the slice, and the load. */
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "kept_files.h"
#include "mem.h"
#include "probe.h"

/* In the order of /proc/stat's columns; guest time is part of user time already. */
enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, LOAD1, COLUMNS = LOAD1 };

struct ticks {
	unsigned long long column[COLUMNS];
};

struct machine_state {
	struct probe_state probe;
	struct ticks *before; /* by CPU */
};

/* Calls each for every "cpuN ..." line. */
static void read_stat(struct capture *c, void (*each)(struct capture *c, struct machine_state *s, uint32_t cpu,
						      const struct ticks *now), struct machine_state *s)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char *rest;

	if (kept_files_read(c->files, "/proc/stat", 1 << 22, &b) < 0)
		return;
	rest = b.data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		struct ticks now = {0};
		unsigned long long *t = now.column;
		unsigned int cpu;

		if (sscanf(line, "cpu%u %llu %llu %llu %llu %llu %llu %llu %llu", &cpu, &t[0], &t[1], &t[2], &t[3],
			   &t[4], &t[5], &t[6], &t[7]) == 9 && cpu < c->cpu_count)
			each(c, s, cpu, &now);
	}
}

static void remember(struct capture *c, struct machine_state *s, uint32_t cpu, const struct ticks *now)
{
	s->before[cpu] = *now;
}

/* The time that an idle CPU waits for disks may go back. */
static unsigned long long growth(const struct ticks *before, const struct ticks *now, int column)
{
	return now->column[column] > before->column[column] ? now->column[column] - before->column[column] : 0;
}

static void add_shares(struct capture *c, struct machine_state *s, uint32_t cpu, const struct ticks *now)
{
	const struct ticks *before = &s->before[cpu];
	unsigned long long total = 0;
	char name[16];

	for (int i = 0; i < COLUMNS; i++)
		total += growth(before, now, i);
	snprintf(name, sizeof(name), "%u", cpu);
	for (int i = 0; i < COLUMNS; i++) {
		unsigned long long ticks = growth(before, now, i);

		if (ticks)
			capture_gauge(c, s->probe.first_metric + (uint32_t)i, capture_resource(c, "cpu", name),
				      100.0 * (double)ticks / (double)total);
	}
	s->before[cpu] = *now;
}

static void start(struct capture *c, void *arg)
{
	struct machine_state *s = arg;

	s->before = xcalloc(c->cpu_count, sizeof(*s->before));
	read_stat(c, remember, s);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct machine_state *s = arg;
	double load;

	read_stat(c, add_shares, s);
	if (getloadavg(&load, 1) == 1)
		capture_gauge(c, s->probe.first_metric + LOAD1, 0, load);
}

static void stop(struct capture *c, void *arg)
{
	free(((struct machine_state *)arg)->before);
}

const struct probe probe_machine = {
	.name = "machine",
	.help = "how each CPU spent its time, and the load average, from /proc",
	.metrics = (const struct probe_metric[]){
		[USER] = {"cpu.user", "%", "CPU in user code"},
		[NICE] = {"cpu.nice", "%", "CPU in user code of niced processes"},
		[SYSTEM] = {"cpu.system", "%", "CPU in the kernel"},
		[IDLE] = {"cpu.idle", "%", "CPU idle"},
		[IOWAIT] = {"cpu.iowait", "%", "CPU idle while a thread of it waits for a disk"},
		[IRQ] = {"cpu.irq", "%", "CPU in hardware interrupts"},
		[SOFTIRQ] = {"cpu.softirq", "%", "CPU in software interrupts"},
		[STEAL] = {"cpu.steal", "%", "CPU taken by the hypervisor"},
		[LOAD1] = {"load", "threads", "load average of the last minute"},
		{0}},
	.state_size = sizeof(struct machine_state),
	.start = start,
	.slice = slice,
	.stop = stop,
};
