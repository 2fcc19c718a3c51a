// SPDX-License-Identifier: BSD-2-Clause
/* The machine as a whole stands still: none of its CPUs ticks, or it was suspended. What its processes do then is not their fault. */
#include "standstill.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "mem.h"
#include "probe.h"

enum { FEW_TICKS = 5 }; /* missing together are no delay of a timer */

#define LEAST_NS (50 * NS_PER_MS)

struct standstill_state {
	struct probe_state probe;
	uint64_t frequency;      /* that the CPUs' limits were set for */
	uint64_t told_until_ns;
	int64_t asleep_ns;       /* CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC */
	uint64_t looked_ns;
	struct standstill *gaps; /* by CPU that is sampled */
};

bool standstill_common(const struct standstill *gaps, uint32_t count, uint64_t least_ns, struct standstill *ret_common)
{
	struct standstill common = {0, UINT64_MAX};

	for (uint32_t i = 0; i < count; i++) {
		if (gaps[i].since_ns > common.since_ns)
			common.since_ns = gaps[i].since_ns;
		if (gaps[i].until_ns < common.until_ns)
			common.until_ns = gaps[i].until_ns;
	}
	*ret_common = common;
	return count && common.until_ns > common.since_ns && common.until_ns - common.since_ns >= least_ns;
}

static uint64_t least_ns(const struct capture *c)
{
	uint64_t ns = FEW_TICKS * NS_PER_S / (c->frequency ? c->frequency : 1);

	return ns > LEAST_NS ? ns : LEAST_NS;
}

static void set_limits(struct capture *c, struct standstill_state *s)
{
	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		c->cpu_slots[cpu].tick_gap_ns = least_ns(c);
	s->frequency = c->frequency;
}

static int64_t read_asleep_ns(void)
{
	struct timespec t;
	int64_t before = (int64_t)clock_mono_ns();

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * (int64_t)NS_PER_S + t.tv_nsec - before;
}

static void tell(struct capture *c, const char *kind, uint64_t since_ns, uint64_t ns)
{
	if (since_ns >= c->start_ns)
		store_add_event(c->store, capture_time(c, since_ns), kind, 0, 0, (int64_t)ns, NULL);
}

static void look_for_sleep(struct capture *c, struct standstill_state *s, uint64_t now)
{
	int64_t asleep = read_asleep_ns();

	/* CLOCK_MONOTONIC did not go on meanwhile: that is, since the last look. */
	if (asleep - s->asleep_ns > (int64_t)LEAST_NS)
		tell(c, "pause.suspend", s->looked_ns, (uint64_t)(asleep - s->asleep_ns));
	s->asleep_ns = asleep;
	s->looked_ns = now;
}

/* Cycles are not counted where a CPU is idle: only a clock ticks all the time. */
static bool clock_ticks(const struct capture *c)
{
	return c->frequency_source && !strcmp(c->frequency_source, "cpu-clock");
}

static void drained(struct capture *c, void *arg)
{
	struct standstill_state *s = arg;
	struct standstill common;
	uint32_t count = 0;

	if (!s->gaps)
		return;
	if (c->frequency != s->frequency)
		set_limits(c, s);
	look_for_sleep(c, s, clock_mono_ns());
	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		if (cpus_has(&c->cpus, cpu))
			s->gaps[count++] = (struct standstill){c->cpu_slots[cpu].gap_since_ns, c->cpu_slots[cpu].gap_until_ns};
	if (!clock_ticks(c) || !standstill_common(s->gaps, count, least_ns(c), &common) || common.since_ns < s->told_until_ns)
		return;
	tell(c, "pause.host", common.since_ns, common.until_ns - common.since_ns);
	s->told_until_ns = common.until_ns;
}

static void start(struct capture *c, void *arg)
{
	struct standstill_state *s = arg;

	s->gaps = xcalloc(c->cpu_count, sizeof(*s->gaps));
	s->asleep_ns = read_asleep_ns();
	s->looked_ns = clock_mono_ns();
	set_limits(c, s);
}

static void retune(struct capture *c, void *arg)
{
	set_limits(c, arg);
	/* The new clock has not ticked yet. */
	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		c->cpu_slots[cpu].tick_ns = 0;
}

static void stop(struct capture *c, void *arg)
{
	free(((struct standstill_state *)arg)->gaps);
}

const struct probe probe_standstill = {
	.name = "standstill",
	.help = "times in which no CPU of the machine ran, or it was suspended",
	.metrics = (const struct probe_metric[]){{0}},
	.state_size = sizeof(struct standstill_state),
	.start = start,
	.retune = retune,
	.drained = drained,
	.stop = stop,
};
