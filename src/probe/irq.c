// SPDX-License-Identifier: BSD-2-Clause
/* Time of each CPU in interrupts, hard ones by handler and soft ones by kind. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "fail.h"
#include "io.h"
#include "irq.h"
#include "mem.h"
#include "probe.h"
#include "irq_soft.h"

enum { HARD_TIME, HARD_COUNT, SOFT_TIME, SOFT_COUNT };

/* A vector's time is written once so much has come together: a large machine has thousands of vectors. */
#define LEAST_NS (NS_PER_MS / 2)

struct irq_state {
	struct probe_state probe;
	int map;
	struct irq_soft *soft;
	struct irq_time (*soft_sum)[SOFTIRQS]; /* by CPU, since the start */
	struct irq_cpu *written; /* by CPU: what is in the recording */
	struct irq_cpu now;
};

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct irq_state *s = arg;

	s->map = bpf_object__find_map_fd_by_name(object, "per_cpu_scratch");
	if (s->map < 0)
		return fail(-ENOENT, "find its map");
	return irq_soft_new(object, c->cpu_count, &s->soft);
}

/* The last word of the number's line in /proc/interrupts: "virtio0-input.0"; the number when there is none. */
static void hard_name(unsigned number, char *name, size_t size)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char *rest;

	if (number == IRQ_TIMER) {
		snprintf(name, size, "timer");
		return;
	}
	snprintf(name, size, "%u", number);
	if (read_file("/proc/interrupts", 4 << 20, &b) < 0)
		return;
	rest = b.data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		unsigned found;

		if (sscanf(line, " %u:", &found) != 1 || found != number)
			continue;
		size_t n = strlen(line);
		while (n && isspace((unsigned char)line[n - 1]))
			line[--n] = 0;
		const char *space = strrchr(line, ' ');
		if (space)
			snprintf(name, size, "%s", space + 1);
		return;
	}
}

static void add(struct capture *c, const struct irq_state *s, unsigned metric, uint32_t resource,
		const struct irq_time *now, struct irq_time *written)
{
	capture_gauge(c, s->probe.first_metric + metric, resource, (double)(now->ns - written->ns));
	capture_gauge(c, s->probe.first_metric + metric + 1, resource, (double)(now->count - written->count));
	*written = *now;
}

static bool is_due(const struct irq_time *now, const struct irq_time *written)
{
	return now->ns >= written->ns + LEAST_NS;
}

static void add_cpu(struct capture *c, struct irq_state *s, uint32_t cpu)
{
	struct irq_cpu *written = &s->written[cpu];
	char name[96], handler[64];

	for (unsigned i = 0; i < SOFTIRQS; i++) {
		if (!is_due(&s->soft_sum[cpu][i], &written->soft[i]))
			continue;
		snprintf(name, sizeof(name), "%u:%s", cpu, softirq_names[i]);
		add(c, s, SOFT_TIME, capture_resource(c, "softirq", name), &s->soft_sum[cpu][i], &written->soft[i]);
	}
	for (unsigned i = 0; i < IRQS; i++) {
		if (!is_due(&s->now.hard[i], &written->hard[i]))
			continue;
		hard_name(i, handler, sizeof(handler));
		snprintf(name, sizeof(name), "%u:%s", cpu, handler);
		add(c, s, HARD_TIME, capture_resource(c, "irq", name), &s->now.hard[i], &written->hard[i]);
	}
}

static void start(struct capture *c, void *arg)
{
	struct irq_state *s = arg;

	s->written = xcalloc(c->cpu_count, sizeof(*s->written));
	s->soft_sum = xcalloc(c->cpu_count, sizeof(*s->soft_sum));
	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++) {
		bpf_map_lookup_elem(s->map, &cpu, &s->written[cpu]);
		memset(s->written[cpu].soft, 0, sizeof(s->written[cpu].soft));
	}
	irq_soft_count(c->files, s->soft);
}

static void drained(struct capture *c, void *arg)
{
	irq_soft_tick(((struct irq_state *)arg)->soft);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct irq_state *s = arg;

	irq_soft_count(c->files, s->soft);
	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++) {
		if (bpf_map_lookup_elem(s->map, &cpu, &s->now))
			continue;
		irq_soft_add(s->soft, cpu, s->now.soft, s->soft_sum[cpu]);
		add_cpu(c, s, cpu);
	}
}

static void detach(struct capture *c, void *arg)
{
	struct irq_state *s = arg;

	if (s->soft)
		irq_soft_detach(s->soft);
}

static void stop(struct capture *c, void *arg)
{
	struct irq_state *s = arg;

	irq_soft_free(s->soft);
	free(s->soft_sum);
	free(s->written);
}

extern const char perfscope_irq_object[];
extern const unsigned long perfscope_irq_object_size;

const struct probe probe_irq = {
	.name = "irq",
	.help = "time of each CPU in hard and soft interrupts, by handler",
	.metrics = (const struct probe_metric[]){
		[HARD_TIME] = {"irq.time", "ns", "of a CPU in a hard interrupt's handler (CPU:handler; timer: its own)"},
		[HARD_COUNT] = {"irq.count", "count", "runs of it"},
		[SOFT_TIME] = {"softirq.time", "ns", "of a CPU in a soft interrupt (CPU:kind), hard ones left out: runs, by how long a tenth of them took"},
		[SOFT_COUNT] = {"softirq.count", "count", "runs of it"},
		{0}},
	.object = perfscope_irq_object,
	.object_size = &perfscope_irq_object_size,
	.state_size = sizeof(struct irq_state),
	.attach = attach,
	.start = start,
	.drained = drained,
	.slice = slice,
	.detach = detach,
	.stop = stop,
};
