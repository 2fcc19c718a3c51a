// SPDX-License-Identifier: BSD-2-Clause
#include "irq_soft.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "fail.h"
#include "kept_files.h"
#include "log.h"
#include "mem.h"
#include "variables.h"

/* A look begins so long after a count, at the latest, and lasts until the first tick after so long. */
#define LATEST_NS (800 * NS_PER_MS)
#define LOOK_NS (70 * NS_PER_MS)

/* To attach and detach a hook changes code that all CPUs run: it took a fifth of all that perfscope takes. How long one takes on average
 * changes slowly, and their numbers are counted all the time. Where they take next to no time it hardly matters, either. */
enum { FIRST_LOOKS = 5, COUNTS_A_LOOK = 4, COUNTS_A_CALM_LOOK = 16, MANY = 100 };
#define WORTH_NS (40 * NS_PER_MS) /* that they took on a CPU since the last look, as it seems */

enum { MOST_BYTES = 4 << 20 };
enum { ENTRY, EXIT, HOOKS };

const char *const softirq_names[SOFTIRQS] = {"HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET",
					     "SCHED", "HRTIMER", "RCU"};

struct irq_soft_cpu {
	uint64_t count[SOFTIRQS], before[SOFTIRQS]; /* as the kernel counts: at the last count, and at the one before */
	uint64_t taken_ns;                          /* since the last look */
	struct irq_time timed[SOFTIRQS];            /* what the hooks had seen then */
	double mean_ns[SOFTIRQS];                   /* of one, in the last look that saw any */
};

struct irq_soft {
	struct bpf_program *programs[HOOKS];
	struct bpf_link *links[HOOKS];
	struct variables variables;
	uint64_t *look_start_ns; /* the kernel side's: what began before is not timed */
	uint64_t begin_ns, end_ns; /* of the next look, or of the one under way; 0: none */
	uint32_t counts, look_count; /* so far, and as a look was last planned */
	bool untimed; /* many of a kind ran of which no look has seen any */
	uint32_t cpu_count;
	struct irq_soft_cpu *cpus;
};

int irq_soft_new(struct bpf_object *object, uint32_t cpu_count, struct irq_soft **ret_soft)
{
	struct irq_soft *s = xcalloc(1, sizeof(*s));
	int r;

	s->programs[ENTRY] = bpf_object__find_program_by_name(object, "softirq_entry");
	s->programs[EXIT] = bpf_object__find_program_by_name(object, "softirq_exit");
	r = s->programs[ENTRY] && s->programs[EXIT] ? variables_map(object, &s->variables) :
						      fail(-ENOENT, "find the hooks of soft interrupts");
	if (r < 0) {
		free(s);
		return r;
	}
	s->look_start_ns = s->variables.memory;
	s->cpu_count = cpu_count;
	s->cpus = xcalloc(cpu_count, sizeof(*s->cpus));
	*ret_soft = s;
	return 0;
}

void irq_soft_detach(struct irq_soft *s)
{
	for (int i = 0; i < HOOKS; i++)
		bpf_link__destroy(s->links[i]);
	memset(s->links, 0, sizeof(s->links));
}

void irq_soft_free(struct irq_soft *s)
{
	if (!s)
		return;
	irq_soft_detach(s);
	variables_done(&s->variables);
	free(s->cpus);
	free(s);
}

static void begin_look(struct irq_soft *s)
{
	__atomic_store_n(s->look_start_ns, clock_mono_ns(), __ATOMIC_RELAXED);
	for (int i = 0; i < HOOKS; i++) {
		s->links[i] = bpf_program__attach(s->programs[i]);
		if (!s->links[i])
			log_debug("attach to soft interrupts: %s", strerror(errno));
	}
}

void irq_soft_tick(struct irq_soft *s)
{
	uint64_t now = clock_mono_ns();

	if (s->begin_ns && now >= s->begin_ns) {
		begin_look(s);
		s->begin_ns = 0;
		s->end_ns = now + LOOK_NS;
	} else if (s->end_ns && now >= s->end_ns) {
		irq_soft_detach(s);
		s->end_ns = 0;
	}
}

static int vector_of(const char *name, size_t length)
{
	for (int i = 0; i < SOFTIRQS; i++)
		if (strlen(softirq_names[i]) == length && !memcmp(name, softirq_names[i], length))
			return i;
	return -1;
}

/* "   NET_RX:   123   456", one number for each of the CPUs in the first line. */
static void read_line(struct irq_soft *s, char *line, const uint32_t *cpus, size_t cpu_count)
{
	char *name = line + strspn(line, " "), *at = strchr(name, ':');
	int vector = at ? vector_of(name, (size_t)(at++ - name)) : -1;

	for (size_t i = 0; vector >= 0 && i < cpu_count; i++) {
		/* 32 bits of the kernel's, which come round. */
		uint32_t count = (uint32_t)strtoul(at, &at, 10);

		if (cpus[i] >= s->cpu_count)
			continue;
		uint64_t *sum = &s->cpus[cpus[i]].count[vector];
		*sum += (uint32_t)(count - (uint32_t)*sum);
	}
}

static void read_counts(struct kept_files *files, struct irq_soft *s)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	_cleanup_free_ uint32_t *cpus = NULL;
	size_t cpu_count = 0, capacity = 0;

	if (kept_files_read(files, "/proc/softirqs", MOST_BYTES, &b) < 0)
		return;
	char *rest = b.data, *line = strsep(&rest, "\n");
	for (char *word; (word = strsep(&line, " "));) {
		uint32_t cpu;

		if (sscanf(word, "CPU%u", &cpu) != 1)
			continue;
		GROW(cpus, cpu_count, capacity);
		cpus[cpu_count++] = cpu;
	}
	while (cpu_count && (line = strsep(&rest, "\n")))
		read_line(s, line, cpus, cpu_count);
}

static bool takes_time(const struct irq_soft *s)
{
	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++)
		if (s->cpus[cpu].taken_ns >= WORTH_NS)
			return true;
	return false;
}

static bool is_due(const struct irq_soft *s)
{
	uint32_t since = s->counts - s->look_count;

	return s->counts < FIRST_LOOKS || s->untimed || since >= (takes_time(s) ? COUNTS_A_LOOK : COUNTS_A_CALM_LOOK);
}

static void plan_look(struct irq_soft *s)
{
	s->begin_ns = clock_mono_ns() + (s->counts ? (uint64_t)(drand48() * (double)LATEST_NS) : 0); /* the first one is at once */
	s->look_count = s->counts;
	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++)
		s->cpus[cpu].taken_ns = 0;
}

void irq_soft_count(struct kept_files *files, struct irq_soft *s)
{
	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++)
		memcpy(s->cpus[cpu].before, s->cpus[cpu].count, sizeof(s->cpus[cpu].before));
	read_counts(files, s);
	if (!s->end_ns && is_due(s))
		plan_look(s);
	s->counts++;
	s->untimed = false;
}

/* Where no look has seen any of a kind, one takes as long as on the CPUs where one has. */
static double mean_ns(const struct irq_soft *s, uint32_t cpu, int vector)
{
	double sum = 0;
	unsigned known = 0;

	if (s->cpus[cpu].mean_ns[vector] > 0)
		return s->cpus[cpu].mean_ns[vector];
	for (uint32_t i = 0; i < s->cpu_count; i++) {
		sum += s->cpus[i].mean_ns[vector];
		known += s->cpus[i].mean_ns[vector] > 0;
	}
	return known ? sum / known : 0;
}

void irq_soft_add(struct irq_soft *s, uint32_t cpu, const struct irq_time timed[SOFTIRQS], struct irq_time sum[SOFTIRQS])
{
	struct irq_soft_cpu *c = &s->cpus[cpu];

	for (int i = 0; i < SOFTIRQS; i++) {
		uint64_t seen = timed[i].count - c->timed[i].count, ran = c->count[i] - c->before[i];

		if (seen)
			c->mean_ns[i] = (double)(timed[i].ns - c->timed[i].ns) / (double)seen;
		s->untimed |= ran >= MANY && c->mean_ns[i] <= 0;
		c->timed[i] = timed[i];
		uint64_t ns = ran ? (uint64_t)((double)ran * mean_ns(s, cpu, i)) : 0;
		sum[i].count += ran;
		sum[i].ns += ns;
		c->taken_ns += ns;
	}
}
