// SPDX-License-Identifier: BSD-2-Clause
/* Events of the hardware (and some of the kernel) by process and function: cycles, instructions, misses. Each kind is sampled by
 * itself: a sample stands for all events since the one before, so that sums are exact but for the
 * last. On demand: each kind costs as much as the sampling of the CPU. */
#include "pmu.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "cpu_event.h"
#include "fail.h"
#include "mem.h"
#include "pmu_events.h"
#include "probe.h"

/* The i-th is counted as the i-th metric. What comes in bursts is sampled by its number: the kernel looks at the rate when a CPU
 * is busy, takes what had gathered before for a moment's, and then waits for ten times as many. */
static const struct event {
	const char *name;
	uint32_t type;
	uint64_t config;
	uint64_t period; /* as in struct cpu_events */
} events[] = {
	{"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
	{"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
	{"cache-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
	{"branch-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES},
	{"stalled-cycles-backend", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_BACKEND},
	{"page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, 1000},
	{"context-switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, 100},
	{"task-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK},
};

struct pmu_state {
	struct probe_state probe;
	const struct event *counted[MOST_PMU_EVENTS];
	struct cpu_events attached[MOST_PMU_EVENTS]; /* of each; those that this machine does not count are not */
	uint32_t count;
};

static const struct event *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (!strcmp(events[i].name, name))
			return &events[i];
	return NULL;
}

static int fail_unknown(const char *name)
{
	_cleanup_(buf_done) struct buf known = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		buf_addf(&known, "%s%s", i ? "," : "", events[i].name);
	return failx(-EINVAL, "there is no event '%s'; known are %s", name, known.data);
}

/* Those of the list; NULL: of the hardware. Returns how many, or a negative errno with a message. */
static int read_events(const char *names, const struct event *ret_events[MOST_PMU_EVENTS])
{
	_cleanup_free_ char *copy = xstrdup(names ? names : "");
	char *rest = names ? copy : NULL, *name;
	int count = 0;

	for (size_t i = 0; !names && i < ARRAY_SIZE(events); i++)
		if (events[i].type == PERF_TYPE_HARDWARE)
			ret_events[count++] = &events[i];
	while ((name = strsep(&rest, ","))) {
		const struct event *event = find(name);

		if (!event)
			return fail_unknown(name);
		if (count == MOST_PMU_EVENTS)
			return failx(-EINVAL, "%d events can be counted at once, not more", MOST_PMU_EVENTS);
		ret_events[count++] = event;
	}
	return count;
}

int pmu_events_check(const char *names)
{
	const struct event *chosen[MOST_PMU_EVENTS];
	int count = read_events(names, chosen);

	return count < 0 ? count : 0;
}

/* Negative errno when this machine does not count it. */
static int attach_event(struct capture *c, struct bpf_object *object, struct pmu_state *s, uint32_t place)
{
	const struct event *event = s->counted[place];
	char name[16];

	snprintf(name, sizeof(name), "count_%u", place);
	s->attached[place] = (struct cpu_events){.program = bpf_object__find_program_by_name(object, name),
						 .name = event->name, .type = event->type, .config = event->config,
						 .period = event->period};
	return cpu_events_attach(&s->attached[place], c);
}

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct pmu_state *s = arg;
	int count = read_events(c->events, s->counted), error = 0;
	bool works = false;

	if (count < 0)
		return count;
	s->count = (uint32_t)count;
	for (uint32_t i = 0; i < s->count; i++) {
		int r = attach_event(c, object, s, i);

		works |= r >= 0;
		error = r < 0 ? r : error;
	}
	if (works)
		return 0;
	return error == -ENOENT || error == -EOPNOTSUPP ?
		failx(error, "this machine has no counters for that (usual in virtual machines)") : error;
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct pmu_state *s = arg;

	for (uint32_t i = 0; i < s->count; i++)
		cpu_events_look(&s->attached[i], c);
}

static void cpu_changed(struct capture *c, void *arg, int cpu, int up)
{
	struct pmu_state *s = arg;

	for (uint32_t i = 0; i < s->count; i++)
		cpu_events_changed(&s->attached[i], c, cpu, up);
}

static void retune(struct capture *c, void *arg)
{
	struct pmu_state *s = arg;

	for (uint32_t i = 0; i < s->count; i++)
		cpu_events_retune(&s->attached[i], c);
}

struct count {
	uint32_t metric, task;
	uint64_t count;
};

static void stack_known(void *arg, const void *data, uint32_t stack)
{
	struct count n;

	memcpy(&n, data, sizeof(n));
	capture_add(arg, n.metric, n.task, stack, 0, 1, (int64_t)n.count);
}

static void record(struct capture *c, void *arg, const struct record *r)
{
	struct pmu_state *s = arg;
	const struct count_record *n = (const struct count_record *)r;
	struct thread *thread = tasks_thread(c->tasks, r->tid, r->tgid, n->comm);

	if (!c->start_ns || n->event >= s->count || (c->filter && !thread->process->selected))
		return;
	struct count count = {.metric = s->probe.first_metric + (uint32_t)(s->counted[n->event] - events), .task = thread->id,
			      .count = n->count};
	stacks_resolve(c->stacks, thread->process, &n->stack, capture_time(c, r->time_ns), stack_known, &count, sizeof(count));
}

static void detach(struct capture *c, void *arg)
{
	struct pmu_state *s = arg;

	for (uint32_t i = 0; i < s->count; i++)
		cpu_events_detach(&s->attached[i], c);
	s->count = 0;
}

extern const char perfscope_pmu_object[];
extern const unsigned long perfscope_pmu_object_size;

const struct probe probe_pmu = {
	.name = "pmu",
	.help = "events of the hardware by process and function: cycles, instructions, misses",
	.on_demand = true,
	.metrics = (const struct probe_metric[]){
		{"pmu.cycles", "count", "cycles of the CPU, by stack"},
		{"pmu.instructions", "count", "instructions, by stack"},
		{"pmu.cache_misses", "count", "misses of the last cache, by stack"},
		{"pmu.branch_misses", "count", "branches that went elsewhere than foreseen, by stack"},
		{"pmu.stalled", "count", "cycles in which nothing went on for want of data or units, by stack; few CPUs tell"},
		{"pmu.page_faults", "count", "page faults, by stack"},
		{"pmu.context_switches", "count", "context switches, by stack"},
		{"pmu.task_clock", "ns", "time on a CPU, by stack"},
		{0}},
	.object = perfscope_pmu_object,
	.object_size = &perfscope_pmu_object_size,
	.state_size = sizeof(struct pmu_state),
	.attach = attach,
	.cpu = cpu_changed,
	.retune = retune,
	.record = record,
	.slice = slice,
	.detach = detach,
	.records = 1u << RECORD_COUNT,
};
