// SPDX-License-Identifier: BSD-2-Clause
/* perfscope's own cost and losses, measured like anything else. */
#include "cost.h"
#include "governor.h"
#include "probe.h"

enum { OWN_CPU, OWN_BPF, ASKED, OWN_MEMORY, OWN_KERNEL_MEMORY, LOST, LOST_THREADS, UNREADABLE, LOST_MAPS, UNSEEN, COMPLETE, TRUNCATED,
       NOT_READABLE, PYTHON, SHARE, HELD_BACK };

struct self_state {
	struct probe_state probe;
	uint64_t cpu_ns, bpf_ns, asked_ns;
	uint64_t counters[COUNTER_COUNT], lost_maps;
	struct stacks_truth truth;
	uint32_t held_back; /* dials that were not at 1, a bit each */
};

static void start(struct capture *c, void *arg)
{
	struct self_state *s = arg;

	s->cpu_ns = cost_own_ns(c);
	s->bpf_ns = cost_bpf_ns(c, ALL_COSTS);
	s->asked_ns = cost_bpf_ns(c, ASKED_COSTS);
	for (int i = 0; i < COUNTER_COUNT; i++)
		s->counters[i] = capture_counter(c, (enum counter)i);
	s->lost_maps = c->lost_mappings;
	s->truth = stacks_truth(c->stacks);
}

static void add_difference(struct capture *c, struct self_state *s, uint32_t metric, uint64_t now, uint64_t *before)
{
	if (now > *before)
		capture_gauge(c, s->probe.first_metric + metric, 0, (double)(now - *before));
	*before = now;
}

static void add_truth(struct capture *c, struct self_state *s)
{
	struct stacks_truth now = stacks_truth(c->stacks);

	add_difference(c, s, COMPLETE, now.complete, &s->truth.complete);
	add_difference(c, s, TRUNCATED, now.truncated, &s->truth.truncated);
	add_difference(c, s, PYTHON, now.without_python, &s->truth.without_python);
	add_difference(c, s, NOT_READABLE, now.unreadable, &s->truth.unreadable);
}

/* Written while it is below 1, and once when it no longer is. */
static void add_shares(struct capture *c, struct self_state *s)
{
	const char *name;
	double share;

	for (unsigned i = 0; c->governor && (name = governor_dial(c->governor, i, &share)); i++) {
		if (share < 1 || s->held_back >> i & 1)
			capture_gauge(c, s->probe.first_metric + SHARE, capture_resource(c, "probe", name), share);
		s->held_back = (s->held_back & ~(1u << i)) | (uint32_t)(share < 1) << i;
	}
	if (s->held_back)
		capture_gauge(c, s->probe.first_metric + HELD_BACK, 0, __builtin_popcount(s->held_back));
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct self_state *s = arg;

	add_difference(c, s, OWN_CPU, cost_own_ns(c), &s->cpu_ns);
	add_difference(c, s, OWN_BPF, cost_bpf_ns(c, ALL_COSTS), &s->bpf_ns);
	add_difference(c, s, ASKED, cost_bpf_ns(c, ASKED_COSTS), &s->asked_ns);
	capture_gauge(c, s->probe.first_metric + OWN_MEMORY, 0, (double)cost_own_bytes(c));
	capture_gauge(c, s->probe.first_metric + OWN_KERNEL_MEMORY, 0, (double)c->kernel_bytes);
	add_difference(c, s, LOST, capture_counter(c, LOST_RECORDS), &s->counters[LOST_RECORDS]);
	add_difference(c, s, LOST_THREADS, capture_counter(c, LOST_SLOTS), &s->counters[LOST_SLOTS]);
	add_difference(c, s, UNREADABLE, capture_counter(c, LOST_STACKS), &s->counters[LOST_STACKS]);
	add_difference(c, s, UNSEEN, capture_counter(c, LOST_SWITCHES), &s->counters[LOST_SWITCHES]);
	add_truth(c, s);
	add_difference(c, s, LOST_MAPS, c->lost_mappings, &s->lost_maps);
	add_shares(c, s);
}

const struct probe probe_self = {
	.name = "self",
	.help = "perfscope's own cost and losses",
	.metrics = (const struct probe_metric[]){
		[OWN_CPU] = {"self.cpu", "ns", "CPU time of perfscope's own processes in the slice"},
		[OWN_BPF] = {"self.bpf", "ns", "run time of its BPF programs in the slice, extrapolated from every 64th run"},
		[ASKED] = {"self.asked", "ns", "of self.bpf, what was asked for by an option; it does not count towards --max-overhead"},
		[OWN_MEMORY] = {"self.memory", "bytes", "resident memory of perfscope's own processes"},
		[OWN_KERNEL_MEMORY] = {"self.kernel_memory", "bytes", "kernel memory of its maps"},
		[LOST] = {"lost.records", "count", "events lost because the ring was full"},
		[LOST_THREADS] = {"lost.threads", "count", "times a thread found no slot for its account"},
		[UNREADABLE] = {"lost.stacks", "count", "samples without a readable stack"},
		[LOST_MAPS] = {"lost.mappings", "count", "mapping events lost because a ring was full"},
		[UNSEEN] = {"lost.switches", "count", "context switches that were not seen; their time is nobody's"},
		[COMPLETE] = {"stacks.complete", "count", "user stacks that were unwound to the thread's outermost frame"},
		[TRUNCATED] = {"stacks.truncated", "count", "user stacks whose root could not be reached: the reason is their lowest frame"},
		[NOT_READABLE] = {"stacks.unreadable", "count", "user stacks of which nothing could be read"},
		[PYTHON] = {"lost.python", "count", "stacks that show the interpreter instead of Python: its frames did not look as expected, or the process had just begun"},
		[SHARE] = {"governor.share", "ratio", "how much of a probe's work is done to keep within --max-overhead; 0: it is off (nothing: all)"},
		[HELD_BACK] = {"governor.held_back", "count", "probes that do less than all of their work"},
		{0}},
	.state_size = sizeof(struct self_state),
	.start = start,
	.slice = slice,
};
