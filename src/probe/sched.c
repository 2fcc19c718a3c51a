// SPDX-License-Identifier: BSD-2-Clause
/* Exact time of each thread by state, and each CPU's run-queue latency. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "affinity.h"
#include "cleanup.h"
#include "clock.h"
#include "fail.h"
#include "freezer.h"
#include "iterator.h"
#include "kernel_text.h"
#include "mem.h"
#include "owed.h"
#include "probe.h"
#include "waits.h"

static void bpf_link_freep(struct bpf_link **link)
{
	bpf_link__destroy(*link);
}

/* The first metrics are the states up to STATE_STOPPED. */
enum { METRIC_LATENCY = STATE_DEAD, METRIC_WAKE, METRIC_BOUND };

/* Waits for a CPU of a thread in a slice: for less its CPUs are not asked for, which is a system call. */
#define BOUND_LEAST_NS (20 * NS_PER_MS)

/* A slice in which switches were watched for less is told with the next one. */
#define LEAST_WATCHED_NS (2 * NS_PER_MS)

struct sched_state {
	struct probe_state probe;
	uint64_t (*latency)[LATENCY_BUCKETS]; /* by CPU: what is already in the recording */
	uint32_t *resources;                  /* by CPU */
	struct bpf_object *object;
	struct bpf_link *waits;               /* see asleep.h; NULL: none */
	int freezer;                          /* as of freezer_watch() */
	uint64_t written_ns, watched_ns;      /* up to then, accounts are in the recording; what their clock showed */
};

/* A thread's slot at one moment: what each state has added up to, the open one included. */
struct snapshot {
	uint64_t ns[STATE_ROOM];
	uint64_t since_ns;
	uint32_t switches, preempted;
	uint8_t state; /* a woken thread that has not run yet counts as runnable */
};

static struct task_slot copy_slot(const struct task_slot *slot)
{
	struct task_slot copy;

	/* Written by one CPU in nanoseconds: a few tries always do, and a torn copy mends itself with
	 * the next slice because totals only grow. */
	for (int i = 0; i < 8; i++) {
		uint32_t before = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);

		memcpy(&copy, slot, sizeof(copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(before & 1) && __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) == before)
			break;
	}
	return copy;
}

static struct snapshot look(const struct task_slot *slot, uint64_t now_ns)
{
	struct snapshot s = {.since_ns = slot->since_ns, .switches = slot->switches,
			     .preempted = slot->preempted, .state = slot->state};

	memcpy(s.ns, slot->ns, sizeof(s.ns));
	if (now_ns <= slot->since_ns || slot->state >= STATE_DEAD)
		return s;
	if (slot->woken_ns > slot->since_ns && slot->woken_ns <= now_ns && slot->state >= STATE_SLEEPING) {
		s.ns[slot->state] += slot->woken_ns - slot->since_ns;
		s.ns[STATE_RUNNABLE] += now_ns - slot->woken_ns;
		s.since_ns = slot->woken_ns;
		s.state = STATE_RUNNABLE;
	} else {
		s.ns[slot->state] += now_ns - slot->since_ns;
	}
	return s;
}

static bool is_wanted(const struct capture *c, const struct thread *thread)
{
	return !c->filter || thread->process->selected;
}

/* Totals only grow, but for torn copies; a rest may put one shortly below zero. */
static bool grew(uint64_t now, uint64_t taken)
{
	return (int64_t)(now - taken) > 0;
}

/* An amount of the part of the slice in which switches were watched stands for the whole of it. */
static uint64_t scaled(const struct capture *c, uint64_t amount)
{
	return c->account_scale > 1 ? (uint64_t)((double)amount * c->account_scale + 0.5) : amount;
}

static void take(struct capture *c, const struct sched_state *state, struct thread *thread,
		 const struct snapshot *s)
{
	struct account *a = &thread->account;
	uint32_t preempted = s->preempted - a->preempted, left = s->switches - a->switches + preempted;

	for (uint32_t i = 0; i < STATE_DEAD; i++)
		if (grew(s->ns[i], a->taken[i]))
			capture_add(c, state->probe.first_metric + i, thread->id, 0, 0,
				    scaled(c, i == STATE_RUNNING ? left : i == STATE_PREEMPTED ? preempted : 0),
				    (int64_t)scaled(c, s->ns[i] - a->taken[i]));
	for (uint32_t i = STATE_SLEEPING; a->owed && i < STATE_STOPPED; i++)
		if (grew(s->ns[i], a->taken[i]))
			owed_debt(a->owed, (uint8_t)i)->ns += scaled(c, s->ns[i] - a->taken[i]);
}

/* It waited for a CPU: were there others that it could not use? */
static void take_bound(struct capture *c, const struct sched_state *state, const struct thread *thread,
		       const struct snapshot *s)
{
	const struct account *a = &thread->account;
	uint64_t waited = s->ns[STATE_RUNNABLE] - a->taken[STATE_RUNNABLE] +
			  s->ns[STATE_PREEMPTED] - a->taken[STATE_PREEMPTED];
	_cleanup_free_ char *list = NULL;

	waited = (int64_t)waited > 0 ? scaled(c, waited) : 0;
	if ((int64_t)waited >= (int64_t)BOUND_LEAST_NS && affinity_bound(thread->tid, &c->cpus, &list))
		capture_add(c, state->probe.first_metric + METRIC_BOUND, thread->id, 0, capture_resource(c, "cpus", list),
			    1, waited);
}

/* Who ended this thread's sleeps. A place that another waker has taken starts again from nothing. */
static void take_wakers(struct capture *c, const struct sched_state *state, struct thread *thread,
			const struct task_slot *slot)
{
	for (int i = 0; i < TASK_WAKERS; i++) {
		const struct waker *now = &slot->wakers[i];
		struct waker *taken = &thread->account.wakers[i];
		struct thread *by = now->tid ? tasks_find_thread(c->tasks, now->tid) : NULL;

		if (taken->tid != now->tid || now->count < taken->count || now->ns < taken->ns)
			*taken = (struct waker){.tid = now->tid};
		if (by && now->count > taken->count)
			store_add_edge(c->store, &(struct edge_row){
				.slice = c->slice, .kind = state->probe.first_metric + METRIC_WAKE,
				.task = thread->id, .other_task = by->id, .count = scaled(c, now->count - taken->count),
				.ns = scaled(c, now->ns - taken->ns)});
		*taken = *now;
	}
}

static void remember(struct account *a, const struct snapshot *s)
{
	/* A torn copy may be ahead of the next one: what was taken is never taken back. */
	for (uint32_t i = 0; i < STATE_DEAD; i++)
		if (grew(s->ns[i], a->taken[i]))
			a->taken[i] = s->ns[i];
	a->switches = s->switches;
	a->preempted = s->preempted;
}

/* The span covers every slice up to the one before this: that time is taken. */
static void end_span(struct capture *c, const struct sched_state *state, struct account *a)
{
	if (!a->span)
		return;
	store_end_span(c->store, a->span, c->slice - 1);
	a->span = 0;
	if (a->owed && !a->stack_span)
		owed_debt(a->owed, (uint8_t)a->span_state)->ns += c->slice_start_ns - a->span_start_ns;
	a->stack_span = false;
	if (state->watched_ns > a->span_until_ns)
		a->taken[a->span_state] += state->watched_ns - a->span_until_ns;
}

static void begin_span(struct capture *c, const struct sched_state *state, struct thread *thread,
		       const struct task_slot *slot, uint32_t task_state, uint64_t now_ns)
{
	struct account *a = &thread->account;

	a->span = capture_span_id(c);
	a->span_state = task_state;
	a->span_start_ns = c->slice_start_ns;
	a->span_until_ns = capture_watched_ns(c, now_ns);
	a->since_ns = slot->since_ns;
	a->woken_ns = slot->woken_ns;
	store_add_span(c->store, a->span, c->slice, 0, state->probe.first_metric + task_state,
		       thread->id, 0, 0);
}

static void give_back(struct capture *c, struct thread *thread)
{
	/* The kernel side claims a slot whose tid is 0 and clears the rest itself. */
	__atomic_store_n(&c->task_slots[thread->slot].tid, 0, __ATOMIC_RELEASE);
	thread->slot = -1;
}

/* A state that fills the slice from end to end is a span: it costs nothing while it goes on. */
static void account_thread(struct capture *c, const struct sched_state *state, struct thread *thread,
			   uint64_t now_ns)
{
	const struct task_slot *slot = &c->task_slots[thread->slot];
	struct account *a = &thread->account;

	if (a->span && slot->since_ns == a->since_ns && slot->woken_ns == a->woken_ns)
		return;
	struct task_slot copy = copy_slot(slot);
	if (copy.tid != thread->tid) {
		/* Reset for another thread: this one's end was not heard of. */
		end_span(c, state, a);
		thread->slot = -1;
		tasks_end(c->tasks, thread, now_ns);
		return;
	}
	struct snapshot s = look(&copy, c->rest_since_ns ? c->rest_since_ns : now_ns);
	end_span(c, state, a);
	if (s.since_ns <= c->slice_start_ns && s.state < STATE_DEAD) {
		begin_span(c, state, thread, &copy, s.state, now_ns);
	} else if (is_wanted(c, thread)) {
		take(c, state, thread, &s);
		take_bound(c, state, thread, &s);
	}
	if (is_wanted(c, thread))
		take_wakers(c, state, thread, &copy);
	remember(a, &s);
	if (s.state == STATE_DEAD) {
		give_back(c, thread);
		tasks_end(c->tasks, thread, copy.since_ns);
	}
}

static int prepare(const struct capture *c, struct bpf_object *object)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.waits");
	struct syscall_wait table[SYSCALL_COUNT];

	waits_table(table);
	if (!map || bpf_map__set_initial_value(map, table, sizeof(table)))
		return fail(-errno, "set .rodata.waits");
	return kernel_text_prepare(c, object);
}

static int iterate(const struct sched_state *state, const char *name, struct buf *b)
{
	struct bpf_program *program = bpf_object__find_program_by_name(state->object, name);
	_cleanup_(bpf_link_freep) struct bpf_link *link = bpf_program__attach_iter(program, NULL);

	return link ? iterator_read(bpf_link__fd(link), "threads", b) : fail(-errno, "attach the task iterator");
}

/* The walk at the start, and after a rest: every thread that is there, also those that never switch. */
static int walk(struct capture *c, const struct sched_state *state)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	struct task_record record;
	int r;

	if ((r = iterate(state, "walk_tasks", &b)) < 0)
		return r;
	for (size_t at = 0; b.len - at >= sizeof(record); at += sizeof(record)) {
		memcpy(&record, b.data + at, sizeof(record));
		tasks_begin(c->tasks, &record);
	}
	return 0;
}

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct sched_state *state = arg;

	state->object = object;
	state->freezer = freezer_watch();
	state->waits = bpf_program__attach_iter(bpf_object__find_program_by_name(object, "walk_waits"), NULL);
	c->waits_link = state->waits ? bpf_link__fd(state->waits) : -1;
	return walk(c, state);
}

/* A child of a selected process that was forked before the flag had been set. */
static void select_child(struct capture *c, struct thread *thread, const struct task_record *r)
{
	const struct process *creator = tasks_find_process(c->tasks, r->creator);

	if (!c->filter || thread->process->selected || !creator || !creator->selected)
		return;
	thread->process->selected = true;
	c->task_slots[thread->slot].flags |= TASK_SELECTED;
}

static void record(struct capture *c, void *arg, const struct record *r)
{
	const struct task_record *task = (const struct task_record *)r;

	select_child(c, tasks_begin(c->tasks, task), task);
}

static void add_latency(struct capture *c, struct sched_state *state)
{
	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++) {
		const uint64_t *now = (const uint64_t *)c->cpu_slots[cpu].latency;

		for (uint32_t b = 0; b < LATENCY_BUCKETS; b++) {
			uint64_t count = __atomic_load_n(&now[b], __ATOMIC_RELAXED);

			if (count == state->latency[cpu][b])
				continue;
			if (!state->resources[cpu]) {
				char name[16];

				snprintf(name, sizeof(name), "%u", cpu);
				state->resources[cpu] = capture_resource(c, "cpu", name);
			}
			capture_histogram(c, state->probe.first_metric + METRIC_LATENCY, state->resources[cpu], b,
					  scaled(c, count - state->latency[cpu][b]));
			state->latency[cpu][b] = count;
		}
	}
}

static void start(struct capture *c, void *arg)
{
	struct sched_state *state = arg;

	state->latency = xcalloc(c->cpu_count, sizeof(*state->latency));
	state->resources = xcalloc(c->cpu_count, sizeof(*state->resources));
	state->written_ns = state->watched_ns = c->start_ns;
	c->account_scale = 1;
	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		memcpy(state->latency[cpu], c->cpu_slots[cpu].latency, sizeof(*state->latency));
	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		struct thread *thread = tasks_get(c->tasks, i);

		if (thread->slot < 0)
			continue;
		struct task_slot copy = copy_slot(&c->task_slots[thread->slot]);
		struct snapshot s = look(&copy, c->start_ns);
		remember(&thread->account, &s);
		memcpy(thread->account.wakers, copy.wakers, sizeof(copy.wakers));
	}
}

struct reaping {
	struct capture *capture;
	const struct sched_state *state;
};

static void reap(void *arg, struct thread *thread)
{
	struct reaping *reaping = arg;
	const struct task_slot *slot = &reaping->capture->task_slots[thread->slot];

	/* It has said goodbye but may still be on its CPU: its last nanoseconds come with the last switch. */
	if (slot->state == STATE_DEAD || slot->tid != thread->tid)
		account_thread(reaping->capture, reaping->state, thread, slot->since_ns);
}

static void drained(struct capture *c, void *arg)
{
	struct sched_state *state = arg;
	_cleanup_(buf_done) struct buf nothing = BUF_INIT;

	if (freezer_changed(state->freezer) && !c->rest_since_ns)
		iterate(state, "walk_frozen", &nothing);
	if (capture_is_sparse(c))
		return; /* what they stand for is known when the slice closes */
	tasks_each_ended(c->tasks, reap, &(struct reaping){.capture = c, .state = state});
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct sched_state *state = arg;
	uint64_t watched_ns = capture_watched_ns(c, now_ns);

	if (watched_ns - state->watched_ns < LEAST_WATCHED_NS && capture_is_sparse(c))
		return; /* the next slice has this one's, too */
	c->account_scale = capture_is_sparse(c) ? (double)(now_ns - state->written_ns) / (double)(watched_ns - state->watched_ns) : 1;
	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		struct thread *thread = tasks_get(c->tasks, i);

		if (thread->slot < 0 || !is_wanted(c, thread))
			continue;
		if (thread->process->walk)
			c->task_slots[thread->slot].flags |= TASK_WALK;
		account_thread(c, state, thread, now_ns);
	}
	add_latency(c, state);
	state->written_ns = now_ns;
	state->watched_ns = watched_ns;
}

/* The rest does not count: it is taken off beforehand what the state at its beginning will be given when it ends. */
static void leave_out(const struct capture *c, const struct thread *thread, uint64_t now_ns)
{
	struct task_slot *slot = &c->task_slots[thread->slot];
	bool woken = slot->state >= STATE_SLEEPING && slot->woken_ns > slot->since_ns;
	uint64_t since_ns = woken ? slot->woken_ns : slot->since_ns;

	slot->progress_ns = 0;
	if (!slot->wait_weight) /* where it waits is not known, and how long it did will not be, either */
		slot->wait_interval_ns = 0;
	if (slot->state >= STATE_DEAD)
		return;
	if (thread->end_ns != UINT64_MAX) {
		slot->state = STATE_DEAD;
		slot->since_ns = thread->end_ns;
		return;
	}
	if (since_ns < c->rest_since_ns)
		since_ns = c->rest_since_ns;
	if (since_ns < now_ns)
		slot->ns[woken ? STATE_RUNNABLE : slot->state] -= now_ns - since_ns;
}

/* Nobody but us writes accounts now. What threads do is asked from the kernel again: they have moved on meanwhile. */
static void go_on(struct capture *c, void *arg, uint64_t now_ns)
{
	struct sched_state *state = arg;

	for (uint32_t i = 0; i < tasks_count(c->tasks); i++)
		if (tasks_get(c->tasks, i)->slot >= 0)
			leave_out(c, tasks_get(c->tasks, i), now_ns);
	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		c->cpu_slots[cpu].running = c->cpu_slots[cpu].progress_ns = 0;
	walk(c, state);
}

static void stop(struct capture *c, void *arg)
{
	struct sched_state *state = arg;

	if (state->object && state->freezer >= 0)
		close(state->freezer);
	bpf_link__destroy(state->waits);
	c->waits_link = -1;
	free(state->latency);
	free(state->resources);
}

extern const char perfscope_sched_object[];
extern const unsigned long perfscope_sched_object_size;

const struct probe probe_sched = {
	.name = "sched",
	.help = "exact time of every thread on CPU, runnable and blocked, by cause; run-queue latency of every CPU",
	.first = true,
	.metrics = (const struct probe_metric[]){
		[STATE_RUNNING] = {"task.running", "ns", "time on a CPU; count: times it left one"},
		[STATE_RUNNABLE] = {"task.runnable", "ns", "time waiting for a CPU after a wake-up"},
		[STATE_PREEMPTED] = {"task.preempted", "ns", "time waiting for a CPU after losing one; count: times it did"},
		[STATE_SLEEPING] = {"offcpu.sleep", "ns", "blocked until a time has come (nanosleep, timerfd)"},
		[STATE_POLL] = {"offcpu.poll", "ns", "blocked in epoll, poll, select, accept, or for input: for work"},
		[STATE_LOCK] = {"offcpu.lock", "ns", "blocked on a futex, a file lock or a System V semaphore"},
		[STATE_IPC] = {"offcpu.ipc", "ns", "blocked on a pipe, a Unix socket, a message queue or an eventfd"},
		[STATE_NETWORK] = {"offcpu.net", "ns", "blocked in send, receive or connect on a network socket"},
		[STATE_DISK] = {"offcpu.disk", "ns", "blocked on I/O to files and devices"},
		[STATE_KERNEL_LOCK] = {"offcpu.kernel_lock", "ns", "blocked on a mutex or rwsem of the kernel"},
		[STATE_FAULT] = {"offcpu.fault", "ns", "blocked in a page fault"},
		[STATE_RECLAIM] = {"offcpu.reclaim", "ns", "blocked until memory is free"},
		[STATE_DIRTY] = {"offcpu.dirty", "ns", "held back for having dirtied too many pages"},
		[STATE_CHILD] = {"offcpu.child", "ns", "blocked until another process ends, or execs after vfork"},
		[STATE_SIGNAL] = {"offcpu.signal", "ns", "blocked until a signal comes"},
		[STATE_IDLE] = {"offcpu.idle", "ns", "a kernel thread without work"},
		[STATE_OTHER] = {"offcpu.other", "ns", "blocked on something else"},
		[STATE_STOPPED] = {"offcpu.stopped", "ns", "stopped by a signal, a tracer or a freezer"},
		[METRIC_LATENCY] = {"runqueue.latency", "ns", "waits for a CPU, from wake-up or preemption to running"},
		[METRIC_WAKE] = {"wake", "ns", "sleep that another thread ended by a system call (edges)"},
		[METRIC_BOUND] = {"affinity.wait", "ns", "wait for a CPU, in a slice in which that was long, of a thread that may not use "
				  "all of them (resource: those that it may)"},
		{0}},
	.object = perfscope_sched_object,
	.object_size = &perfscope_sched_object_size,
	.state_size = sizeof(struct sched_state),
	.prepare = prepare,
	.attach = attach,
	.start = start,
	.record = record,
	.drained = drained,
	.slice = slice,
	.go_on = go_on,
	.stop = stop,
	.records = 1u << RECORD_TASK,
};
