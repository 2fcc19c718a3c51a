// SPDX-License-Identifier: BSD-2-Clause
/* Pressure stall information: the share of time in which tasks were held up for want of a resource. */
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "gauges.h"
#include "kept_files.h"
#include "mem.h"
#include "probe.h"

enum { CPU_SOME, CPU_FULL, MEMORY_SOME, MEMORY_FULL, IO_SOME, IO_FULL, IRQ_FULL };

static const struct source {
	const char *path;
	unsigned some, full; /* metrics; equal: there is only "full" */
} sources[] = {
	{"/proc/pressure/cpu", CPU_SOME, CPU_FULL},
	{"/proc/pressure/memory", MEMORY_SOME, MEMORY_FULL},
	{"/proc/pressure/io", IO_SOME, IO_FULL},
	{"/proc/pressure/irq", IRQ_FULL, IRQ_FULL},
};

struct pressure_state {
	struct probe_state probe;
	struct gauge_set set;
};

static void add(struct capture *c, struct pressure_state *s, unsigned metric, const char *text, const char *line,
		double elapsed_us)
{
	const char *at = strstr(text, line), *total = at ? strstr(at, "total=") : NULL;
	unsigned long long us;

	if (!total || sscanf(total, "total=%llu", &us) != 1)
		return;
	double growth = gauge_growth(&s->set, metric, (double)us);
	if (growth > 0 && elapsed_us > 0)
		capture_gauge(c, s->probe.first_metric + metric, 0, 100 * growth / elapsed_us);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct pressure_state *s = arg;

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		_cleanup_(buf_done) struct buf b = BUF_INIT;
		double elapsed_us = s->set.time_ns ? (double)(now_ns - s->set.time_ns) / 1000 : 0;

		if (kept_files_read(c->files, sources[i].path, 4096, &b) < 0)
			continue;
		if (sources[i].some != sources[i].full)
			add(c, s, sources[i].some, b.data, "some ", elapsed_us);
		add(c, s, sources[i].full, b.data, "full ", elapsed_us);
	}
	s->set.time_ns = now_ns;
}

static void start(struct capture *c, void *arg)
{
	slice(c, arg, clock_mono_ns());
}

const struct probe probe_pressure = {
	.name = "pressure",
	.help = "pressure stall information of CPU, memory and I/O, from /proc/pressure",
	.metrics = (const struct probe_metric[]){
		[CPU_SOME] = {"pressure.cpu.some", "%", "of the time, some task waited for a CPU"},
		[CPU_FULL] = {"pressure.cpu.full", "%", "of the time, all tasks that had work waited for a CPU"},
		[MEMORY_SOME] = {"pressure.memory.some", "%", "of the time, some task waited for memory"},
		[MEMORY_FULL] = {"pressure.memory.full", "%", "of the time, all tasks that had work waited for memory"},
		[IO_SOME] = {"pressure.io.some", "%", "of the time, some task waited for I/O"},
		[IO_FULL] = {"pressure.io.full", "%", "of the time, all tasks that had work waited for I/O"},
		[IRQ_FULL] = {"pressure.irq.full", "%", "of the time, tasks were held up by interrupts"},
		{0}},
	.state_size = sizeof(struct pressure_state),
	.start = start,
	.slice = slice,
};
