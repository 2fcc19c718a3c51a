// SPDX-License-Identifier: BSD-2-Clause
/* Events of the hardware (and some of the kernel) by process and function: cycles, instructions, misses. Each kind is sampled by
 * itself, as often as the CPU is: a sample stands for all events since the one before, so that sums are exact but for the
 * last. On demand: each kind costs as much as the sampling of the CPU. */
#include "pmu.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "cpu_event.h"
#include "cpus.h"
#include "fail.h"
#include "mem.h"
#include "pmu_events.h"
#include "probe.h"

/* The i-th is counted as the i-th metric. */
static const struct event {
	const char *name;
	uint32_t type;
	uint64_t config;
} events[] = {
	{"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
	{"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
	{"cache-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
	{"branch-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES},
	{"stalled-cycles-backend", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_BACKEND},
	{"page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
	{"context-switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES},
	{"task-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK},
};

#define HARDWARE_EVENTS "cycles,instructions,cache-misses,branch-misses,stalled-cycles-backend"

struct counted {
	const struct event *event;
	const struct bpf_program *program;
	struct bpf_link **links; /* by CPU; none before attach() */
	bool works;
};

struct pmu_state {
	struct probe_state probe;
	struct counted counted[MOST_PMU_EVENTS];
	uint32_t count;
};

static const struct event *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (!strcmp(events[i].name, name))
			return &events[i];
	return NULL;
}

/* Each event of the list; `add` says whether there is room for it. */
static int each_event(const char *names, bool (*add)(void *arg, const struct event *event), void *arg)
{
	_cleanup_free_ char *copy = xstrdup(names);
	char *rest = copy;

	for (char *name; (name = strsep(&rest, ","));) {
		const struct event *event = find(name);

		if (!event)
			return failx(-EINVAL, "there is no event '%s'; known are " HARDWARE_EVENTS ",page-faults,context-switches,task-clock", name);
		if (!add(arg, event))
			return failx(-EINVAL, "%d events can be counted at once, not more", MOST_PMU_EVENTS);
	}
	return 0;
}

static bool count_up(void *arg, const struct event *event)
{
	return ++*(int *)arg <= MOST_PMU_EVENTS;
}

int pmu_events_check(const char *names)
{
	int count = 0;

	return each_event(names, count_up, &count);
}

static bool choose(void *arg, const struct event *event)
{
	struct pmu_state *s = arg;

	if (s->count == MOST_PMU_EVENTS)
		return false;
	s->counted[s->count++].event = event;
	return true;
}

static int attach_cpu(struct capture *c, const struct counted *n, int cpu)
{
	return cpu_event_attach(n->program, n->event->type, n->event->config, c->frequency, cpu, n->event->name, &n->links[cpu]);
}

static void detach_cpu(const struct counted *n, int cpu)
{
	bpf_link__destroy(n->links[cpu]); /* closes the event, too */
	n->links[cpu] = NULL;
}

/* On all CPUs; negative errno when this machine does not count it. */
static int attach_event(struct capture *c, struct bpf_object *object, struct counted *n, uint32_t slot)
{
	char name[16];
	int r = 0;

	snprintf(name, sizeof(name), "count_%u", slot);
	n->program = bpf_object__find_program_by_name(object, name);
	n->links = xcalloc(c->cpu_count, sizeof(struct bpf_link *));
	for (uint32_t cpu = 0; cpu < c->cpu_count && r >= 0; cpu++)
		if (cpus_has(&c->cpus, cpu) && (r = attach_cpu(c, n, (int)cpu)) == -ENODEV)
			r = 0; /* just gone offline: it is tried again, slice by slice */
	n->works = r >= 0;
	return r;
}

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct pmu_state *s = arg;
	int r = each_event(c->events ? c->events : HARDWARE_EVENTS, choose, s), error = 0;
	bool works = false;

	for (uint32_t i = 0; i < s->count && r >= 0; i++) {
		int one = attach_event(c, object, &s->counted[i], i);

		works |= one >= 0;
		error = one < 0 ? one : error;
	}
	if (works || r < 0)
		return r;
	return error == -ENOENT || error == -EOPNOTSUPP ?
		failx(error, "this machine has no counters for that (usual in virtual machines)") : error;
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct pmu_state *s = arg;

	for (uint32_t i = 0; i < s->count; i++)
		for (uint32_t cpu = 0; s->counted[i].works && cpu < c->cpu_count; cpu++)
			if (!s->counted[i].links[cpu] && cpus_has(&c->cpus, cpu))
				attach_cpu(c, &s->counted[i], (int)cpu);
}

static void cpu_changed(struct capture *c, void *arg, int cpu, int up)
{
	struct pmu_state *s = arg;

	for (uint32_t i = 0; i < s->count; i++) {
		detach_cpu(&s->counted[i], cpu);
		if (up && s->counted[i].works)
			attach_cpu(c, &s->counted[i], cpu);
	}
}

static void retune(struct capture *c, void *arg)
{
	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		if (cpus_has(&c->cpus, cpu))
			cpu_changed(c, arg, (int)cpu, true);
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

	if (n->event >= s->count || (c->filter && !thread->process->selected))
		return;
	struct count count = {.metric = s->probe.first_metric + (uint32_t)(s->counted[n->event].event - events), .task = thread->id,
			      .count = n->count};
	stacks_resolve(c->stacks, thread->process, &n->stack, capture_time(c, r->time_ns), stack_known, &count, sizeof(count));
}

static void detach(struct capture *c, void *arg)
{
	struct pmu_state *s = arg;

	for (uint32_t i = 0; i < s->count; i++) {
		for (uint32_t cpu = 0; s->counted[i].links && cpu < c->cpu_count; cpu++)
			detach_cpu(&s->counted[i], (int)cpu);
		free(s->counted[i].links);
	}
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
