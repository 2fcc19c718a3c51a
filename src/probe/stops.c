// SPDX-License-Identifier: BSD-2-Clause
/* Processes that are stopped and go on again, and by whom: a signal, a tracer, a freezer. */
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "clock.h"
#include "mem.h"
#include "proc.h"
#include "probe.h"

#define LONG_STOP_NS (10 * NS_PER_MS) /* as in bpf/pause.bpf.h */

static char *by_whom(const struct capture *c, const struct process *p, uint32_t how, uint32_t tracer)
{
	const struct process *other = tasks_find_process(c->tasks, tracer);
	_cleanup_(buf_done) struct buf cgroup = BUF_INIT;

	switch (how) {
	case KEY_TRACER:
		return xasprintf("traced by %s (%u)", other ? other->comm : "?", tracer);
	case KEY_FREEZER:
		return proc_freezer(p->pid, &cgroup) == 0 ? xasprintf("frozen with its cgroup %s", cgroup.data) :
							    xstrdup("frozen");
	default:
		return p->stopped_by.signal ? xasprintf("SIG%s from %s (%u)", sigabbrev_np((int)p->stopped_by.signal),
							p->stopped_by.comm, p->stopped_by.pid) :
					      xstrdup("by a signal");
	}
}

/* One event for all threads of the process. */
static void began(struct capture *c, const struct thread *thread, uint64_t since_ns, uint32_t how, uint32_t tracer)
{
	struct process *p = thread->process;

	if (p->stop_ns && (since_ns < p->stop_ns + LONG_STOP_NS || since_ns < p->stop_end_ns))
		return;
	p->stop_ns = since_ns;
	_cleanup_free_ char *by = by_whom(c, p, how, tracer);
	store_add_event(c->store, capture_time(c, since_ns), "process.stop", thread->id, 0,
			how == KEY_TRACER ? tracer : how == KEY_SIGNAL ? p->stopped_by.pid : 0, by);
}

static bool is_wanted(const struct capture *c, const struct thread *thread)
{
	return c->start_ns && (!c->filter || thread->process->selected);
}

static void record(struct capture *c, void *state, const struct record *r)
{
	const struct stop_record *s = (const struct stop_record *)r;
	const struct thread *thread = tasks_find_thread(c->tasks, r->tid);

	if (!thread || !is_wanted(c, thread))
		return;
	struct process *p = thread->process;
	began(c, thread, s->since_ns, s->how, s->tracer);
	if (s->since_ns < p->stop_end_ns)
		return;
	p->stop_end_ns = r->time_ns;
	store_add_event(c->store, capture_time(c, r->time_ns), "process.continue", thread->id, 0,
			(int64_t)(r->time_ns - s->since_ns), NULL);
}

/* Those that have not gone on yet. */
static void slice(struct capture *c, void *state, uint64_t now_ns)
{
	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		const struct thread *thread = tasks_get(c->tasks, i);
		const struct task_slot *slot = thread->slot >= 0 ? &c->task_slots[thread->slot] : NULL;

		if (slot && slot->state == STATE_STOPPED && now_ns > slot->since_ns + LONG_STOP_NS && is_wanted(c, thread))
			began(c, thread, slot->since_ns, slot->wait_key_kind, (uint32_t)slot->wait_key);
	}
}

const struct probe probe_stops = {
	.name = "stops",
	.help = "processes that are stopped by a signal, a tracer or a freezer, and by whom",
	.metrics = (const struct probe_metric[]){{0}},
	.state_size = sizeof(struct probe_state),
	.record = record,
	.slice = slice,
	.records = 1u << RECORD_STOP,
};
