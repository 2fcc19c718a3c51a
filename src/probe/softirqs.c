// SPDX-License-Identifier: BSD-2-Clause
/* How long soft interrupts wait from being raised until they run, by CPU and kind. On demand: they are raised very often. */
#include "softirqs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fail.h"
#include "mem.h"
#include "probe.h"
#include "irq_soft.h"

enum { LATENCY };

struct softirqs_state {
	struct probe_state probe;
	int map;
	struct softirqs_cpu *written; /* by CPU */
	struct softirqs_cpu now;
};

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct softirqs_state *s = arg;

	s->map = bpf_object__find_map_fd_by_name(object, "per_cpu_scratch");
	return s->map < 0 ? fail(-ENOENT, "find its map") : 0;
}

static void start(struct capture *c, void *arg)
{
	struct softirqs_state *s = arg;

	s->written = xcalloc(c->cpu_count, sizeof(*s->written));
	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		bpf_map_lookup_elem(s->map, &cpu, &s->written[cpu]);
}

static void add(struct capture *c, const struct softirqs_state *s, uint32_t cpu, unsigned vector)
{
	const uint64_t *now = s->now.latency[vector], *before = s->written[cpu].latency[vector];
	char name[32];

	snprintf(name, sizeof(name), "%u:%s", cpu, softirq_names[vector]);
	for (uint32_t b = 0; b < LATENCY_BUCKETS; b++)
		if (now[b] > before[b])
			capture_histogram(c, s->probe.first_metric + LATENCY, capture_resource(c, "softirq", name), b,
					  now[b] - before[b]);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct softirqs_state *s = arg;

	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++) {
		if (bpf_map_lookup_elem(s->map, &cpu, &s->now))
			continue;
		for (unsigned i = 0; i < SOFTIRQS; i++)
			add(c, s, cpu, i);
		s->written[cpu] = s->now;
	}
}

static void stop(struct capture *c, void *arg)
{
	free(((struct softirqs_state *)arg)->written);
}

extern const char perfscope_softirqs_object[];
extern const unsigned long perfscope_softirqs_object_size;

const struct probe probe_softirqs = {
	.name = "softirqs",
	.help = "how long soft interrupts wait until they run",
	.on_demand = true,
	.metrics = (const struct probe_metric[]){
		[LATENCY] = {"softirq.latency", "ns", "of a CPU's soft interrupts (CPU:kind), from being raised until they run"},
		{0}},
	.object = perfscope_softirqs_object,
	.object_size = &perfscope_softirqs_object_size,
	.state_size = sizeof(struct softirqs_state),
	.attach = attach,
	.start = start,
	.slice = slice,
	.stop = stop,
};
