// SPDX-License-Identifier: BSD-2-Clause
/* Gaps in which a process with work stands still: all of its threads stopped together, or an event loop kept from its
 * poll by one burst; and what ran meanwhile. The kernel's side is in the switch hook (bpf/pause.bpf.h). */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "pause_time.h"
#include "probe.h"
#include "releases.h"
#include "text.h"

enum { METRIC_WORLD, METRIC_BURST, METRIC_GC, METRIC_POLLS, METRIC_LOST };

enum { MOST_EVENTS = 500, /* a slice */
       FEW_POLLS = 5 };   /* a slice: fewer are no loop's */

#define LONG_BURST_NS (20 * NS_PER_MS) /* as in bpf/pause.bpf.h */
#define KEPT_NS (3 * NS_PER_S) /* so late a stack may become known */

struct pause_state {
	struct probe_state probe;
	struct capture *capture;
	struct releases *releases;
	struct pause_time *time;
	uint64_t slice_end_ns; /* of the last one */
	unsigned events;      /* in this slice */
	uint64_t lost, untold; /* releases that the kernel's side did not tell; events too many */
};

static bool may_tell(struct pause_state *state)
{
	if (state->events++ < MOST_EVENTS)
		return true;
	state->untold++;
	return false;
}

static void tell(struct pause_state *state, const struct pause *p, const char *kind, const char *detail)
{
	struct capture *c = state->capture;

	if (p->start_ns < c->start_ns || !may_tell(state))
		return;
	store_add_event(c->store, capture_time(c, p->start_ns), kind, p->task, 0, (int64_t)(p->end_ns - p->start_ns), detail);
	pause_time_add(state->time, p);
}

/* What a runtime has told itself is not told again as it looks from outside. */
static bool is_collection(const struct pause_state *state, uint32_t process, uint64_t start_ns, uint64_t end_ns)
{
	return pause_time_known(state->time, process, state->probe.first_metric + METRIC_GC, start_ns, end_ns) > (end_ns - start_ns) / 2;
}

/* HotSpot's threads that collect: they wait together for the next collection. */
static bool is_collector(const struct thread *thread)
{
	return starts_with(thread->comm, "GC ") || starts_with(thread->comm, "G1 ") || starts_with(thread->comm, "ZWorker") ||
	       starts_with(thread->comm, "Shenandoah");
}

static bool is_stop_for_all(const struct thread *waker)
{
	return !strcmp(waker->comm, "VM Thread"); /* HotSpot */
}

/* Letting a single thread go on is nothing special, but for those whose task is to stop all that there are; who waited before such
 * a one was awake was not stopped by it. Where a runtime tells its collections nobody else does: its collector's threads wait
 * for work together, too. */
static bool stops_world(const struct pause_state *state, const struct world_stop *stop)
{
	const struct thread *thread = tasks_find_thread(state->capture->tasks, stop->waker_tid);

	if (thread && is_stop_for_all(thread))
		return stop->early < stop->threads;
	return stop->threads >= 2 && !(thread && thread->process->collects);
}

static void world_stopped(void *arg, const struct world_stop *stop)
{
	struct pause_state *state = arg;
	char detail[128];

	if (!stops_world(state, stop) || is_collection(state, stop->process, stop->start_ns, stop->end_ns))
		return;
	snprintf(detail, sizeof(detail), "{\"threads\": %u, \"early\": %u, \"spread_ns\": %llu}", stop->threads, stop->early,
		 (unsigned long long)stop->spread_ns);
	tell(state, &(struct pause){.start_ns = stop->start_ns, .end_ns = stop->end_ns, .process = stop->process,
				    .task = stop->waker, .metric = state->probe.first_metric + METRIC_WORLD},
	     "pause.world", detail);
}

static void released(struct pause_state *state, const struct thread *thread, const struct release_record *r)
{
	const struct thread *other = tasks_find_thread(state->capture->tasks, r->other_tid);

	if (other && is_stop_for_all(other) && is_collector(thread))
		return;
	/* Of a wait that began before switches were watched again, too little is known. */
	if (other && r->since_ns >= state->capture->resumed_ns)
		releases_add(state->releases, &(struct release){
			.since_ns = r->since_ns, .woken_ns = r->head.time_ns, .process = thread->process->id,
			.task = thread->id, .waker = other->id, .waker_tid = other->tid});
}

/* A loop that has mostly waited for a CPU is held up by those that had it. */
static void burst(struct pause_state *state, const struct thread *thread, uint64_t since_ns, uint64_t end_ns,
		  uint64_t queued_ns)
{
	char detail[64];

	if (queued_ns > (end_ns - since_ns) / 2 || is_collection(state, thread->process->id, since_ns, end_ns))
		return;
	snprintf(detail, sizeof(detail), "{\"queued_ns\": %llu}", (unsigned long long)queued_ns);
	tell(state, &(struct pause){.start_ns = since_ns, .end_ns = end_ns, .process = thread->process->id, .task = thread->id,
				    .alone = true, .metric = state->probe.first_metric + METRIC_BURST},
	     "pause.burst", detail);
}

static void collected(struct pause_state *state, const struct thread *thread, const struct collection_record *r)
{
	thread->process->collects = true;
	tell(state, &(struct pause){.start_ns = r->since_ns, .end_ns = r->head.time_ns, .process = thread->process->id,
				    .task = thread->id, .metric = state->probe.first_metric + METRIC_GC}, "pause.gc", NULL);
}

/* A burst that goes on as the recording ends: nobody will tell it. */
static void open_burst(struct pause_state *state, const struct thread *thread, uint64_t now_ns)
{
	const struct capture *c = state->capture;
	const struct task_slot *slot = &c->task_slots[thread->slot];
	uint64_t since_ns = slot->progress_ns, queued_ns = slot->queued_ns;

	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		if (c->cpu_slots[cpu].running == thread->tid) {
			since_ns = c->cpu_slots[cpu].progress_ns;
			queued_ns = c->cpu_slots[cpu].queued_ns;
		}
	if (since_ns && !slot->for_many && now_ns > since_ns + LONG_BURST_NS)
		burst(state, thread, since_ns, now_ns, queued_ns);
}

static bool is_wanted(const struct capture *c, const struct thread *thread)
{
	return thread->slot >= 0 && thread->end_ns == UINT64_MAX && (!c->filter || thread->process->selected) &&
	       !(thread->process->flags & PROCESS_OWN);
}

static void detach(struct capture *c, void *arg)
{
	const struct pause_state *state = arg;

	/* Detaching takes a while, in which nobody may have noted anything any more. */
	for (uint32_t i = 0; c->start_ns && !c->rest_since_ns && i < tasks_count(c->tasks); i++)
		if (is_wanted(c, tasks_get(c->tasks, i)))
			open_burst(arg, tasks_get(c->tasks, i), state->slice_end_ns);
}

static void record(struct capture *c, void *arg, const struct record *r)
{
	struct pause_state *state = arg;
	const struct burst_record *b = (const struct burst_record *)r;
	const struct thread *thread = tasks_find_thread(c->tasks, r->tid);

	if (!state->capture || !thread || !is_wanted(c, thread))
		return;
	switch (r->kind) {
	case RECORD_RELEASE:
		released(state, thread, (const struct release_record *)r);
		break;
	case RECORD_COLLECTION:
		collected(state, thread, (const struct collection_record *)r);
		break;
	case RECORD_BURST:
		burst(state, thread, b->since_ns, r->time_ns, b->queued_ns);
		break;
	}
}

static void drained(struct capture *c, void *arg)
{
	struct pause_state *state = arg;

	/* What happened in the last moment may still come from another CPU. */
	if (state->capture)
		releases_settle(state->releases, clock_mono_ns() - 10 * NS_PER_MS);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct pause_state *state = arg;
	uint64_t lost = capture_counter(c, LOST_RELEASES);

	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		struct thread *thread = tasks_get(c->tasks, i);

		if (!is_wanted(c, thread))
			continue;
		uint32_t now = c->task_slots[thread->slot].polls;
		uint64_t polls = (uint64_t)((now - thread->account.polls) * c->account_scale);
		if (polls >= FEW_POLLS)
			capture_add(c, state->probe.first_metric + METRIC_POLLS, thread->id, 0, 0, polls, (int64_t)polls);
		thread->account.polls = now;
	}
	if (lost + state->untold)
		capture_gauge(c, state->probe.first_metric + METRIC_LOST, 0, (double)(lost - state->lost + state->untold));
	state->lost = lost;
	state->untold = 0;
	state->events = 0;
	state->slice_end_ns = now_ns;
	pause_time_forget(state->time, now_ns - KEPT_NS);
}

static void found(void *arg, const struct pause *p, const struct activity *a, uint64_t ns)
{
	struct pause_state *state = arg;

	capture_add(state->capture, p->metric, a->task, a->stack, 0, 1, ns);
}

static void active(void *arg, const struct activity *a)
{
	pause_time_active(((struct pause_state *)arg)->time, a);
}

static void start(struct capture *c, void *arg)
{
	struct pause_state *state = arg;

	state->capture = c;
	state->releases = releases_new(world_stopped, state);
	state->time = pause_time_new(found, state);
	state->lost = capture_counter(c, LOST_RELEASES);
	c->active = active;
	c->active_arg = state;
	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		struct thread *thread = tasks_get(c->tasks, i);

		if (thread->slot >= 0)
			thread->account.polls = c->task_slots[thread->slot].polls;
	}
}

static void stop(struct capture *c, void *arg)
{
	struct pause_state *state = arg;

	c->active = NULL;
	releases_free(state->releases);
	pause_time_free(state->time);
}

const struct probe probe_pause = {
	.name = "pause",
	.help = "processes whose threads are all stopped for a while, event loops that do not come back to their poll",
	.metrics = (const struct probe_metric[]){
		[METRIC_WORLD] = {"pause.world", "ns", "what ran in a process, by stack, while its threads were stopped (event pause.world)"},
		[METRIC_BURST] = {"pause.burst", "ns", "what kept an event loop from its poll, by stack (event pause.burst)"},
		[METRIC_GC] = {"pause.gc", "ns", "what ran in a process, by stack, while it collected garbage (event pause.gc), as its runtime tells"},
		[METRIC_POLLS] = {"loop.polls", "count", "times a thread waited for any of many files"},
		[METRIC_LOST] = {"lost.pauses", "count", "long waits and pauses that were not told, because there were too many"},
		{0}},
	.state_size = sizeof(struct pause_state),
	.start = start,
	.record = record,
	.drained = drained,
	.slice = slice,
	.detach = detach,
	.stop = stop,
	.records = 1u << RECORD_RELEASE | 1u << RECORD_BURST | 1u << RECORD_COLLECTION,
};
