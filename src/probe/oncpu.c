// SPDX-License-Identifier: BSD-2-Clause
/* Where CPU time goes: stacks at the sampling rate, from a perf event on each CPU. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <unistd.h>

#include "clock.h"
#include "cpu_event.h"
#include "cpus.h"
#include "fail.h"
#include "mem.h"
#include "probe.h"

enum { METRIC_CPU_TIME };

struct oncpu_state {
	struct probe_state probe;
	struct cpu_events events;
	uint64_t frequency, before; /* now, and before tuned_ns */
	uint64_t tuned_ns;
};

/* Cycles are counted by hardware and interrupt even where interrupts are off; virtual machines often have none. */
static int choose_event(struct capture *c, struct oncpu_state *state, int cpu)
{
	static const struct {
		uint32_t type;
		uint64_t config;
		const char *name;
	} events[] = {
		{PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, "cycles"},
		{PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, "cpu-clock"},
	};
	int fd = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		fd = cpu_event_open(events[i].type, events[i].config, c->frequency, cpu);
		if (fd < 0)
			continue;
		close(fd);
		state->events.type = events[i].type;
		state->events.config = events[i].config;
		state->events.name = c->frequency_source = events[i].name;
		return 0;
	}
	return fail(fd, "open a perf event");
}

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct oncpu_state *state = arg;
	int r = choose_event(c, state, cpus_first(&c->cpus));

	if (r < 0)
		return r;
	state->frequency = c->frequency;
	state->events.program = bpf_object__find_program_by_name(object, "on_cpu");
	return cpu_events_attach(&state->events, c);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct oncpu_state *state = arg;

	cpu_events_look(&state->events, c);
}

static void cpu_changed(struct capture *c, void *arg, int cpu, int up)
{
	struct oncpu_state *state = arg;

	cpu_events_changed(&state->events, c, cpu, up);
}

static void retune(struct capture *c, void *arg)
{
	struct oncpu_state *state = arg;

	state->before = state->frequency;
	state->frequency = c->frequency;
	cpu_events_retune(&state->events, c);
	state->tuned_ns = clock_mono_ns();
}

static void record(struct capture *c, void *arg, const struct record *r)
{
	struct oncpu_state *state = arg;
	const struct sample_record *sample = (const struct sample_record *)r;
	struct thread *thread = tasks_thread(c->tasks, r->tid, r->tgid, sample->comm);

	if (c->filter && !thread->process->selected)
		return;
	/* A sample stands for what it stood for when it was drawn. */
	capture_add_run(c, thread, &sample->stack, r->time_ns, state->probe.first_metric + METRIC_CPU_TIME,
			NS_PER_S / (r->time_ns < state->tuned_ns ? state->before : state->frequency));
}

static void detach(struct capture *c, void *arg)
{
	struct oncpu_state *state = arg;

	cpu_events_detach(&state->events, c);
}

extern const char perfscope_oncpu_object[];
extern const unsigned long perfscope_oncpu_object_size;

const struct probe probe_oncpu = {
	.name = "oncpu",
	.help = "stacks of what runs on each CPU, at the sampling rate",
	.first = true,
	.metrics = (const struct probe_metric[]){
		[METRIC_CPU_TIME] = {"cpu.time", "ns", "CPU time by stack, from samples"},
		{0}},
	.object = perfscope_oncpu_object,
	.object_size = &perfscope_oncpu_object_size,
	.state_size = sizeof(struct oncpu_state),
	.attach = attach,
	.cpu = cpu_changed,
	.retune = retune,
	.record = record,
	.slice = slice,
	.detach = detach,
	.records = 1u << RECORD_SAMPLE,
};
