// SPDX-License-Identifier: BSD-2-Clause
/* Where threads wait: stacks of waits, drawn within a budget by the switch hook (bpf/offcpu.bpf.h), weighted so that
 * no wait is favoured, and scaled to each thread's exact times; and who ended those waits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asleep.h"
#include "clock.h"
#include "disk_name.h"
#include "hash.h"
#include "kernel_locks.h"
#include "kernel_text.h"
#include "lock_names.h"
#include "mem.h"
#include "owed.h"
#include "past.h"
#include "probe.h"
#include "wait_files.h"
#include "wait_parts.h"

enum { METRIC_WAKER = STATE_STOPPED - STATE_SLEEPING, METRIC_WAKER_RUN, METRIC_WAKER_WAIT, METRIC_WAKER_QUEUE, METRIC_INTERVAL };
#define FIRST_INTERVAL_NS (10 * NS_PER_MS)

enum { MOST_SITES = 1 << 16 };

/* A wait whose stack is or will be known. */
struct wait {
	struct wait *next, *previous; /* in the list of all */
	struct offcpu_state *state;
	struct owed *owed;            /* its thread's */
	uint32_t process, task, tid, site;
	uint64_t since_ns, counted_ns, end_ns; /* counted: up to here its time is in the recording */
	uint32_t weight;              /* 256ths, while it is shorter than the interval */
	uint32_t stack, resource, span;
	uint32_t device;              /* that it syncs; 0: not known */
	uint32_t waker_task, waker_stack;
	uint32_t place;               /* in `places`, whose stack this is to be; 0: no one else's */
	struct wait *beside;          /* the next that will have the same stack */
	uint8_t cause;                /* enum task_state */
	bool known, woken, ended, outlasted;
	bool syncs;                   /* until data is on a disk */
	bool partial;                 /* the kernel's part of the stack alone */
	bool visited;                 /* while it lasted: it stands for itself, whatever is drawn beside it */
	unsigned pending;             /* stacks that are being unwound */
};

/* The few waits that are drawn may stand for less than there were: one's claim on flushes is that much more. */
enum { SYNC_CLAIM = 3 };

/* Where threads are that were visited. */
struct wait_place {
	uint32_t stack;
	bool known;
	struct wait *waiting; /* for the stack */
};

struct offcpu_state {
	struct probe_state probe;
	struct capture *capture;
	struct kernel_locks locks;
	struct map *open;   /* tid -> wait that goes on */
	struct map *stacks; /* of waits that have ended, by task and site */
	uint32_t forgotten; /* as store_forgotten_stacks(), when these were the store's */
	struct wait *waits; /* all of them */
	struct lock_names *lock_names;
	struct wait_files *files;
	struct asleep *asleep;
	struct map *place_of; /* asleep.h's number of a place -> index in `places` */
	struct wait_place *places; /* [0] is nobody's */
	size_t place_count, place_capacity;
	uint32_t places_due;  /* whose stacks are being unwound */
	uint32_t places_forgotten; /* as `forgotten` */
	struct wait_parts parts;
};

static uint32_t metric_of(const struct offcpu_state *state, uint8_t cause)
{
	return state->probe.first_metric + cause - STATE_SLEEPING;
}

static struct wait *wait_new(struct offcpu_state *state, struct thread *thread, const struct wait_record *r)
{
	struct wait *w = xcalloc(1, sizeof(*w));

	*w = (struct wait){.state = state, .owed = owed_ref(owed_of(&thread->account.owed)),
			   .process = thread->process->id, .task = thread->id, .tid = thread->tid, .site = r->site, .since_ns = r->since_ns, .counted_ns = r->since_ns,
			   .weight = r->weight & ~WAIT_DRAWN_LATE, .cause = r->state, .next = state->waits};
	if (w->next)
		w->next->previous = w;
	state->waits = w;
	return w;
}

static void wait_free(struct wait *w)
{
	if (w->next)
		w->next->previous = w->previous;
	if (w->previous)
		w->previous->next = w->next;
	else
		w->state->waits = w->next;
	owed_unref(w->owed);
	free(w);
}

static void add_part(struct wait *w, uint64_t until_ns, uint32_t weight, uint64_t count)
{
	struct offcpu_state *state = w->state;

	/* What was before the recording is not part of it. */
	if (state->capture->start_ns > w->counted_ns)
		w->counted_ns = state->capture->start_ns;
	if (!state->capture->start_ns || until_ns <= w->counted_ns)
		return;
	if (w->syncs)
		capture_ask(state->capture, &state->capture->syncers, w->device, w->task,
			    SYNC_CLAIM * ((until_ns - w->counted_ns) * weight / WAIT_WEIGHT_ONE));
	wait_parts_add(&state->parts, &(struct wait_part){
		.owed = owed_ref(w->owed), .task = w->task, .stack = w->stack, .resource = w->resource, .cause = w->cause,
		.site = w->partial ? w->site : 0, .exact = w->visited, .count = count,
		.ns = (double)(until_ns - w->counted_ns) * weight / WAIT_WEIGHT_ONE});
	w->counted_ns = until_ns;
}

static uint64_t whole_weight(uint32_t weight)
{
	return (weight + WAIT_WEIGHT_ONE / 2) / WAIT_WEIGHT_ONE;
}

/* Ended, and every stack of it is there. */
static void settle(struct wait *w)
{
	struct offcpu_state *state = w->state;
	struct capture *c = state->capture;
	uint32_t weight = w->outlasted ? WAIT_WEIGHT_ONE : w->weight;
	uint64_t borrowed;

	if (!w->ended || w->pending)
		return;
	add_part(w, w->end_ns, weight, whole_weight(weight));
	if (w->resource && (w->cause == STATE_LOCK || w->cause == STATE_KERNEL_LOCK))
		capture_latency(c, metric_of(state, w->cause), w->resource, w->end_ns - w->since_ns, whole_weight(weight));
	capture_active(c, &(struct activity){.process = w->process, .task = w->task, .stack = w->stack, .state = w->cause,
					     .start_ns = w->since_ns, .end_ns = w->end_ns});
	if (map_count(state->stacks) >= MOST_SITES || state->forgotten != store_forgotten_stacks(c->store)) {
		map_free(state->stacks);
		state->stacks = map_new();
		state->forgotten = store_forgotten_stacks(c->store);
	}
	/* The likes of those that will have to borrow it: of another long one, or else of any. */
	if (w->known && !w->partial && (w->outlasted || !map_get(state->stacks, site_key(w->task, w->site), &borrowed)))
		map_put(state->stacks, site_key(w->task, w->site), w->stack);
	if (c->start_ns)
		past_add_wait(c->past, &(struct past_wait){
			.task = w->task, .stack = w->stack, .resource = w->resource, .site = w->partial ? w->site : 0,
			.weight = weight, .waker = w->waker_task, .waker_stack = w->waker_stack, .woken = w->woken,
			.since_ns = w->since_ns, .end_ns = w->end_ns});
	wait_free(w);
}

static void set_stack(struct wait *w, uint32_t stack)
{
	w->pending--;
	w->stack = stack;
	w->known = true;
	settle(w);
}

static void place_known(struct offcpu_state *state, struct wait_place *place, uint32_t stack)
{
	place->stack = stack;
	place->known = true;
	state->places_due--;
	for (struct wait *w = place->waiting, *next; w; w = next) {
		next = w->beside;
		set_stack(w, stack);
	}
	place->waiting = NULL;
}

static void waiter_known(void *arg, const void *data, uint32_t stack)
{
	struct wait *w;

	memcpy(&w, data, sizeof(w));
	if (w->place)
		place_known(w->state, &w->state->places[w->place], stack);
	set_stack(w, stack);
}

static void waker_known(void *arg, const void *data, uint32_t stack)
{
	struct wait *w;

	memcpy(&w, data, sizeof(w));
	w->pending--;
	w->waker_stack = stack;
	settle(w);
}

static void note_sync(struct wait *w, const struct thread *thread, const struct wait_record *r)
{
	const struct stack_capture *s = &r->stack;

	if ((w->cause != STATE_DISK && w->cause != STATE_OTHER) || thread->process->flags & PROCESS_KERNEL)
		return;
	w->syncs = kernel_text_is_sync(w->state->capture->text, s->frames, s->kernel_depth);
	if (w->syncs && r->key_kind == KEY_FD)
		w->device = wait_files_device(w->state->files, r->head.tgid, (uint32_t)r->key);
}

static void resolve(struct wait *w, struct process *p, const struct wait_record *r, stacks_done *done)
{
	struct capture *c = w->state->capture;

	w->pending++;
	stacks_resolve(c->stacks, p, &r->stack, capture_time(c, r->head.time_ns), done, &w, sizeof(w));
}

static uint32_t resource_of(struct offcpu_state *state, struct thread *thread, const struct wait_record *r)
{
	struct capture *c = state->capture;
	char name[64];

	if (r->key_kind == KEY_FD)
		return wait_files_of_descriptor(state->files, r->head.tgid, (uint32_t)r->key);
	if (r->key_kind == KEY_MEMORY)
		return wait_files_at_address(state->files, thread->process, r->key);
	if (r->key_kind == KEY_DEVICE)
		return disk_resource(c, (uint32_t)r->key);
	switch (r->key_kind) {
	case KEY_ADDRESS:
		return lock_names_resource(state->lock_names, thread->process, r->key);
	case KEY_KERNEL_LOCK:
		return capture_resource(c, "kernel lock", kernel_locks_name(&state->locks, c->text, r->key));
	case KEY_ADDRESS_SPACE:
		snprintf(name, sizeof(name), "%.*s (%u)", COMM_LENGTH, thread->process->comm, thread->process->pid);
		return capture_resource(c, "address space", name);
	case KEY_SEMAPHORES:
		snprintf(name, sizeof(name), "System V semaphores %u", (uint32_t)r->key);
		return capture_resource(c, "semaphore", name);
	default:
		return 0;
	}
}

static void close_span(struct wait *w)
{
	struct capture *c = w->state->capture;

	if (!w->span)
		return;
	store_end_span(c->store, w->span, c->slice - 1);
	w->counted_ns = c->slice_start_ns;
}

/* Its end was not seen. */
static void give_up(struct wait *w, uint64_t end_ns)
{
	map_remove(w->state->open, w->tid);
	close_span(w);
	w->ended = true;
	w->end_ns = end_ns;
	settle(w);
}

/* The wait of this thread that is under way; one whose end was lost is given up. */
static struct wait *open_wait(struct offcpu_state *state, const struct wait_record *r)
{
	uint64_t value;

	if (!map_get(state->open, r->head.tid, &value))
		return NULL;
	struct wait *w = (struct wait *)(uintptr_t)value;
	if (w->since_ns == r->since_ns)
		return w;
	give_up(w, w->counted_ns);
	return NULL;
}

static struct wait *open_new(struct offcpu_state *state, struct thread *thread, const struct wait_record *r)
{
	struct wait *w = wait_new(state, thread, r);

	map_put(state->open, w->tid, (uintptr_t)w);
	w->resource = resource_of(state, thread, r);
	return w;
}

static void begin(struct offcpu_state *state, struct thread *thread, const struct wait_record *r)
{
	if (open_wait(state, r))
		return;
	struct wait *w = open_new(state, thread, r);
	note_sync(w, thread, r);
	resolve(w, thread->process, r, waiter_known);
}

static void forget_places(struct offcpu_state *state)
{
	map_free(state->place_of);
	state->place_of = map_new();
	state->place_count = 1;
	state->places_forgotten = store_forgotten_stacks(state->capture->store);
}

/* True when another's stack is this wait's, too. */
static bool has_place(struct offcpu_state *state, struct wait *w, uint64_t number)
{
	uint64_t index;

	if (!number)
		return false;
	if (!state->places_due && (state->place_count >= MOST_SITES || state->places_forgotten != store_forgotten_stacks(state->capture->store)))
		forget_places(state);
	if (!map_get(state->place_of, number, &index)) {
		GROW(state->places, state->place_count, state->place_capacity);
		map_put(state->place_of, number, state->place_count);
		w->place = (uint32_t)state->place_count;
		state->places[state->place_count++] = (struct wait_place){0};
		state->places_due++;
		return false;
	}
	struct wait_place *place = &state->places[index];
	w->pending++;
	if (!place->known) {
		w->beside = place->waiting;
		place->waiting = w;
	} else {
		set_stack(w, place->stack);
	}
	return true;
}

/* One that nobody has asked for the stack of so far: of its thread's account, its time before is all that the waits' are scaled by. */
static bool visited(void *arg, struct thread *thread, const struct wait_record *r, uint64_t place)
{
	struct offcpu_state *state = arg;
	const struct capture *c = state->capture;
	struct account *a = &thread->account;
	uint64_t since_ns = r->since_ns > c->start_ns ? r->since_ns : c->start_ns, until_ns = a->span ? a->span_start_ns : c->slice_start_ns;

	if (!a->owed && until_ns > since_ns)
		owed_debt(owed_of(&a->owed), r->state)->ns = until_ns - since_ns;
	if (open_wait(state, r))
		return false;
	struct wait *w = open_new(state, thread, r);
	w->visited = true;
	w->partial = (!r->stack.pages || (thread->process->python_image && !r->stack.python_depth)) && !(thread->process->flags & PROCESS_KERNEL);
	note_sync(w, thread, r);
	if (has_place(state, w, place))
		return false;
	resolve(w, thread->process, r, waiter_known);
	return true;
}

/* As it began. */
static bool was_drawn(const struct wait_record *r)
{
	return r->weight && !(r->weight & WAIT_DRAWN_LATE);
}

static void woken(struct offcpu_state *state, struct thread *thread, const struct wait_record *r)
{
	struct wait *w = open_wait(state, r);
	struct thread *other = r->other_tid ? tasks_find_thread(state->capture->tasks, r->other_tid) : NULL;

	if (!w && !was_drawn(r))
		w = open_new(state, thread, r); /* not drawn, but long: heard of first when it is over */
	if (!w || w->woken)
		return;
	w->woken = true;
	if (other && !kernel_text_is_interrupt(state->capture->text, r->stack.frames, r->stack.kernel_depth))
		w->waker_task = other->id;
	resolve(w, other ? other->process : thread->process, r, waker_known);
}

/* Of a wait that was not drawn: that of the same call if it was drawn before, else the kernel's part. */
static void find_stack(struct wait *w, struct thread *thread, const struct wait_record *r)
{
	uint64_t stack;

	note_sync(w, thread, r);
	w->pending++; /* not before its end is known */
	if (map_get(w->state->stacks, site_key(w->task, w->site), &stack)) {
		w->stack = (uint32_t)stack;
		w->known = true;
	} else {
		w->partial = true;
		resolve(w, thread->process, r, waiter_known);
	}
	w->pending--;
}

static void end(struct offcpu_state *state, struct thread *thread, const struct wait_record *r)
{
	struct wait *w = open_wait(state, r);

	if (!w && was_drawn(r))
		return; /* its beginning was lost, or was before the recording */
	if (!w)
		w = open_new(state, thread, r); /* not drawn, but long: heard of first when it is over */
	map_remove(state->open, w->tid);
	if (!was_drawn(r))
		find_stack(w, thread, r);
	w->ended = true;
	w->outlasted = r->outlasted;
	w->weight = r->weight & ~WAIT_DRAWN_LATE;
	w->end_ns = r->head.time_ns;
	close_span(w);
	settle(w);
}

static void init(struct capture *c, struct offcpu_state *state)
{
	state->capture = c;
	state->open = map_new();
	state->stacks = map_new();
	GROW(state->places, state->place_count, state->place_capacity);
	forget_places(state);
	state->lock_names = lock_names_new(c);
	state->files = wait_files_new(c);
	state->asleep = asleep_new(c);
	stacks_set_kernel(c->stacks, c->text);
}

static void queued(struct capture *c, const struct queue_record *r)
{
	const struct thread *thread = tasks_find_thread(c->tasks, r->head.tid);

	if (c->start_ns && thread)
		past_add_queue(c->past, thread->id, r->weight, r->since_ns, r->head.time_ns);
}

/* The first ones come before the recording starts. */
static void record(struct capture *c, void *arg, const struct record *head)
{
	struct offcpu_state *state = arg;
	const struct wait_record *r = (const struct wait_record *)head;
	struct thread *thread = tasks_find_thread(c->tasks, head->tid);
	static void (*const handlers[])(struct offcpu_state *, struct thread *, const struct wait_record *) = {
		[RECORD_WAIT_BEGIN] = begin, [RECORD_WAIT_END] = end, [RECORD_WAKE] = woken};

	if (!state->capture)
		init(c, state);
	if (head->kind == RECORD_QUEUE)
		queued(c, (const struct queue_record *)head);
	else if (thread && r->state >= STATE_SLEEPING && r->state < STATE_STOPPED &&
	    (!c->filter || thread->process->selected))
		handlers[head->kind](state, thread, r);
}

static double mean_interval(const struct capture *c)
{
	double sum = 0;

	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		sum += (double)c->cpu_slots[cpu].waits.interval_ns;
	return sum / c->cpu_count;
}

/* Of a wait that goes on, which may turn out much longer than it was drawn for: it is not to stand for more than a few intervals. */
static uint32_t weight_so_far(const struct wait *w, uint64_t now_ns, double interval_ns)
{
	double most = 8 * interval_ns * WAIT_WEIGHT_ONE / (double)(now_ns - w->since_ns);

	return w->weight <= most ? w->weight : most < WAIT_WEIGHT_ONE ? WAIT_WEIGHT_ONE : (uint32_t)most;
}

/* Its stack may be known later than that it fills slices: what was before the span is owed, and written with this slice. */
static void begin_span(struct wait *w, struct account *a)
{
	struct capture *c = w->state->capture;

	if (c->slice_start_ns > a->span_start_ns)
		owed_debt(a->owed, w->cause)->ns += c->slice_start_ns - a->span_start_ns;
	add_part(w, c->slice_start_ns, WAIT_WEIGHT_ONE, 0);
	w->span = capture_span_id(c);
	a->stack_span = true;
	store_add_span(c->store, w->span, c->slice, 0, metric_of(w->state, w->cause), w->task, w->stack, w->resource);
}

/* A wait that goes on: this slice's part of it, or, when it fills slices, a span that costs nothing. */
static void count_open(struct offcpu_state *state, struct wait *w, uint64_t now_ns, double interval_ns)
{
	struct capture *c = state->capture;
	struct thread *thread = tasks_find_thread(c->tasks, w->tid);

	if (!w->known || !thread || thread->id != w->task)
		return;
	struct account *a = &thread->account;
	if (!a->span || a->since_ns != w->since_ns) {
		if (!w->span)
			add_part(w, now_ns, weight_so_far(w, now_ns, interval_ns), 0);
		return;
	}
	if (!w->span)
		begin_span(w, a);
	w->counted_ns = now_ns;
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct offcpu_state *state = arg;
	uint64_t tid, value;
	size_t cursor = 0;
	double interval_ns = mean_interval(c);

	while (map_next(state->open, &cursor, &tid, &value))
		count_open(state, (struct wait *)(uintptr_t)value, now_ns, interval_ns);
	wait_parts_write(&state->parts, c, state->probe.first_metric, state->stacks);
	lock_names_slice(state->lock_names);
	wait_files_slice(state->files);
	past_write(c->past, c, state->probe.first_metric + METRIC_WAKER, state->stacks);
	capture_gauge(c, state->probe.first_metric + METRIC_INTERVAL, 0, interval_ns);
}

/* Of a wait that went on as switches were no longer watched, the rest of it does not count, like in the accounts; one that was
 * over by the end of it ends there. */
static void go_on(struct capture *c, void *arg, uint64_t now_ns)
{
	struct offcpu_state *state = arg;
	double interval_ns = mean_interval(c);

	for (struct wait *w = state->waits, *next; w; w = next) {
		struct thread *thread = tasks_find_thread(c->tasks, w->tid);

		next = w->next;
		if (w->ended)
			continue;
		bool same = thread && thread->slot >= 0 && c->task_slots[thread->slot].since_ns == w->since_ns;
		if (!same)
			give_up(w, c->rest_since_ns);
		else if (!w->span) {
			add_part(w, c->rest_since_ns, weight_so_far(w, c->rest_since_ns, interval_ns), 0);
			w->counted_ns = now_ns;
		}
	}
}

static void drained(struct capture *c, void *arg)
{
	struct offcpu_state *state = arg;

	if (!state->capture)
		return;
	wait_files_drained(state->files);
	asleep_drained(state->asleep, state->open, visited, state);
}

static void start(struct capture *c, void *arg)
{
	struct offcpu_state *state = arg;

	if (!state->capture)
		init(c, state);
	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		c->cpu_slots[cpu].waits.interval_ns = c->cpu_slots[cpu].queues.interval_ns = FIRST_INTERVAL_NS;
}

static void stop(struct capture *c, void *arg)
{
	struct offcpu_state *state = arg;

	while (state->waits)
		wait_free(state->waits);
	wait_parts_done(&state->parts);
	map_free(state->open);
	map_free(state->stacks);
	map_free(state->place_of);
	free(state->places);
	lock_names_free(state->lock_names);
	wait_files_free(state->files);
	asleep_free(state->asleep);
	kernel_locks_done(&state->locks);
}

const struct probe probe_offcpu = {
	.name = "offcpu",
	.help = "stacks of waits within a budget, scaled to the exact times of sched, and who ended them",
	.metrics = (const struct probe_metric[]){
		[STATE_SLEEPING - STATE_SLEEPING] = {"wait.sleep", "ns", "offcpu.sleep by stack"},
		[STATE_POLL - STATE_SLEEPING] = {"wait.poll", "ns", "offcpu.poll by stack"},
		[STATE_LOCK - STATE_SLEEPING] = {"wait.lock", "ns", "offcpu.lock by stack; and how long waits for each lock were"},
		[STATE_IPC - STATE_SLEEPING] = {"wait.ipc", "ns", "offcpu.ipc by stack"},
		[STATE_NETWORK - STATE_SLEEPING] = {"wait.net", "ns", "offcpu.net by stack"},
		[STATE_DISK - STATE_SLEEPING] = {"wait.disk", "ns", "offcpu.disk by stack"},
		[STATE_KERNEL_LOCK - STATE_SLEEPING] = {"wait.kernel_lock", "ns", "offcpu.kernel_lock by stack; and how long waits for each lock were"},
		[STATE_FAULT - STATE_SLEEPING] = {"wait.fault", "ns", "offcpu.fault by stack"},
		[STATE_RECLAIM - STATE_SLEEPING] = {"wait.reclaim", "ns", "offcpu.reclaim by stack"},
		[STATE_DIRTY - STATE_SLEEPING] = {"wait.dirty", "ns", "offcpu.dirty by stack"},
		[STATE_CHILD - STATE_SLEEPING] = {"wait.child", "ns", "offcpu.child by stack"},
		[STATE_SIGNAL - STATE_SLEEPING] = {"wait.signal", "ns", "offcpu.signal by stack"},
		[STATE_IDLE - STATE_SLEEPING] = {"wait.idle", "ns", "offcpu.idle by stack: none are taken"},
		[STATE_OTHER - STATE_SLEEPING] = {"wait.other", "ns", "offcpu.other by stack"},
		[METRIC_WAKER] = {"waker", "ns", "waits that were drawn, and who ended them (edges); no other task: an interrupt"},
		[METRIC_WAKER_RUN] = {"waker.run", "ns", "where the thread that ended a drawn wait ran meanwhile (edges)"},
		[METRIC_WAKER_WAIT] = {"waker.wait", "ns", "where the thread that ended a drawn wait waited meanwhile (edges)"},
		[METRIC_WAKER_QUEUE] = {"waker.queue", "ns", "how long the thread that ended a drawn wait waited for a CPU meanwhile (edges)"},
		[METRIC_INTERVAL] = {"wait.interval", "ns", "waits of this length and longer all have their stacks"},
		{0}},
	.state_size = sizeof(struct offcpu_state),
	.start = start,
	.record = record,
	.drained = drained,
	.slice = slice,
	.go_on = go_on,
	.stop = stop,
	.records = 1u << RECORD_WAIT_BEGIN | 1u << RECORD_WAIT_END | 1u << RECORD_WAKE | 1u << RECORD_QUEUE,
};
