// SPDX-License-Identifier: BSD-2-Clause
/* What goroutines wait for, by the names of the functions that they wait in, and who may hold it. */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "goroutine.h"
#include "mem.h"
#include "owner.h"
#include "text.h"
#include "threads.h"

enum {
	MOST_HOLDERS = 512, /* goroutines that may hold locks; of more nobody is named */
	WITHIN = 256,       /* bytes: who has the address of what a lock is part of has the lock's, too */
};

/* Functions of the library that wait, the nearest to the leaf first; behind: how far behind a lock's start its semaphore is. */
static const struct mark {
	const char *function;
	enum wait_kind kind;
	const char *detail;
	unsigned behind;
} marks[] = {
	{"sync.(*Mutex).lockSlow", WAIT_MUTEX, NULL, 4},
	{"internal/sync.(*Mutex).lockSlow", WAIT_MUTEX, NULL, 4},
	{"sync.(*RWMutex).Lock", WAIT_RWLOCK_WRITE, NULL, 8},
	{"sync.runtime_SemacquireRWMutex", WAIT_RWLOCK_WRITE, NULL, 8},
	{"sync.(*RWMutex).RLock", WAIT_RWLOCK_READ, NULL, 12},
	{"sync.runtime_SemacquireRWMutexR", WAIT_RWLOCK_READ, NULL, 12},
	{"sync.(*WaitGroup).Wait", WAIT_GROUP, NULL, 0},
	{"sync.(*Cond).Wait", WAIT_CONDITION, NULL, 0},
	{"runtime.chanrecv", WAIT_CHANNEL, "to receive", 0},
	{"runtime.chansend", WAIT_CHANNEL, "to send", 0},
	{"runtime.selectgo", WAIT_CHANNEL, "one of several", 0},
	{"runtime.block", WAIT_CHANNEL, "of none: for ever", 0},
	{"internal/poll.runtime_pollWait", WAIT_POLL, "input or output", 0},
	{"time.Sleep", WAIT_SLEEP, NULL, 0},
	/* Up to 1.19 a reader that is compiled into its caller waits as mutexes do, but without their function. */
	{"sync.runtime_SemacquireMutex", WAIT_RWLOCK_READ, NULL, 12},
};

static const struct mark *mark_of(const struct goroutine *g, const struct namer *n)
{
	const struct mark *last = NULL;

	for (size_t f = 0; f < g->frame_count; f++)
		for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
			if (strcmp(namer_name(n, g->places[f]), marks[i].function))
				continue;
			if (!starts_with(marks[i].function, "sync.runtime_"))
				return &marks[i];
			last = &marks[i]; /* its caller may know better */
		}
	return last;
}

static void fill_wait(const struct goroutine *g, const struct namer *n, struct thread_wait *w)
{
	const struct mark *mark = mark_of(g, n);

	if (g->status == GO_SYSCALL) {
		*w = (struct thread_wait){.kind = WAIT_KERNEL, .detail = "in a system call, which its thread shows"};
	} else if (g->status == GO_WAITING) {
		*w = (struct thread_wait){.kind = mark ? mark->kind : WAIT_RUNTIME, .detail = mark ? mark->detail : NULL};
		if (mark && g->waits_on && g->at_channel == (mark->kind == WAIT_CHANNEL) && (mark->behind || g->at_channel))
			w->address = g->waits_on - mark->behind;
	}
}

static bool is_lock(const struct thread_wait *w)
{
	return w->address && (w->kind == WAIT_MUTEX || w->kind == WAIT_RWLOCK_READ || w->kind == WAIT_RWLOCK_WRITE);
}

/* The runtime's own are no concern, as in its tracebacks. */
static bool is_of_program(const struct goroutine *g, const struct namer *n)
{
	const char *first = g->frame_count > 1 ? namer_name(n, g->places[g->frame_count - 2]) : "";

	return !starts_with(first, "runtime.") || !strcmp(first, "runtime.main");
}

static void fill_frames(const struct goroutine *g, const struct namer *n, struct threads *t, struct thread *thread)
{
	const char *root = g->frame_count ? namer_name(n, g->places[g->frame_count - 1]) : "";
	size_t count = g->frame_count - starts_with(root, "runtime.goexit");

	thread->user_count = thread->frame_count = count;
	thread->frames = xcalloc(count + 1, sizeof(*thread->frames));
	for (size_t f = 0; f < count; f++) {
		const char *name = namer_name(n, g->places[f]);

		thread->frames[count - 1 - f] = arena_strndup(t->memory, name, strlen(name));
	}
	if (count)
		snprintf(thread->comm, sizeof(thread->comm), "%s", thread->frames[count > 1 && !strcmp(thread->frames[0], "runtime.main")]);
	else
		thread->stack_ended = "it runs, or is in a system call: its thread has it";
}

static enum thread_state state_of(const struct goroutine *g)
{
	if (g->status == GO_RUNNING)
		return THREAD_RUNNING;
	return g->status == GO_WAITING || g->status == GO_SYSCALL ? THREAD_SLEEPING : THREAD_RUNNABLE;
}

/* Names them, and leaves the runtime's own out of both arrays. */
static void fill_items(struct goroutines *g, struct namer *n, struct threads *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->count; i++)
		for (size_t f = 0; f < g->items[i].frame_count; f++)
			g->items[i].places[f] = namer_function(n, g->space, g->items[i].frames[f] - 1);
	namer_finish(n);
	t->items = xcalloc(g->count + 1, sizeof(*t->items));
	for (size_t i = 0; i < g->count; i++) {
		struct thread *thread = &t->items[kept];

		if (!is_of_program(&g->items[i], n))
			continue;
		*thread = (struct thread){.tid = (uint32_t)g->items[i].id, .pid = t->pid, .state = state_of(&g->items[i]),
					  .since_ns = UINT64_MAX, .waits_for = -1, .cycle = -1};
		fill_frames(&g->items[i], n, t, thread);
		fill_wait(&g->items[i], n, &thread->wait);
		g->items[kept++] = g->items[i];
	}
	g->count = t->count = kept;
}

static void name_locks(const struct goroutines *g, struct namer *n, struct threads *t)
{
	_cleanup_free_ uint32_t *places = xcalloc(t->count + 1, sizeof(*places));

	for (size_t i = 0; i < t->count; i++)
		if (is_lock(&t->items[i].wait))
			places[i] = namer_variable(n, g->space, t->items[i].wait.address);
	namer_finish(n);
	for (size_t i = 0; i < t->count; i++)
		if (is_lock(&t->items[i].wait))
			t->items[i].wait.resource = namer_name(n, places[i]);
}

/* Nothing names who holds a mutex of Go. */
static void find_holders(const struct goroutines *g, struct namer *n, struct threads *t)
{
	_cleanup_free_ bool *unlocks = goroutines_that_unlock(g, n);
	_cleanup_free_ struct sleeper *sleepers = xcalloc(g->count + 1, sizeof(*sleepers));
	_cleanup_free_ size_t *who = xcalloc(g->count + 1, sizeof(*who));
	size_t count = 0;

	for (size_t i = 0; i < g->count; i++) {
		const struct goroutine *one = &g->items[i];
		bool waits = is_lock(&t->items[i].wait);

		if (!waits && !unlocks[i])
			continue;
		who[count] = i;
		sleepers[count++] = (struct sleeper){.tid = t->items[i].tid, .futex = waits ? t->items[i].wait.address : 0, .is_lock = waits,
						     .holds_nothing = !unlocks[i], .within = WITHIN, .stack_start = one->low,
						     .stack_end = one->high, .sp = one->frame_count ? one->sp : one->low};
	}
	/* The one that can go on may be among those that were not looked at. */
	if (g->cut || count > MOST_HOLDERS)
		return;
	guard_lock_holders(g->space, sleepers, count, NULL);
	for (size_t i = 0; i < count; i++) {
		struct thread_wait *w = &t->items[who[i]].wait;

		if (!sleepers[i].holder)
			continue;
		w->tid = t->items[who[sleepers[i].holder - 1]].tid;
		w->bound = !sleepers[i].open;
		w->unsure = sleepers[i].unsure;
	}
}

void goroutines_describe(struct goroutines *g, struct namer *n, struct threads *t)
{
	bool locks = false;

	fill_items(g, n, t);
	for (size_t i = 0; i < t->count; i++)
		locks = locks || is_lock(&t->items[i].wait);
	if (!locks)
		return;
	name_locks(g, n, t);
	find_holders(g, n, t);
}
