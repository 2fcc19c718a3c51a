// SPDX-License-Identifier: BSD-2-Clause
/* The wait-for graph. Each thread waits for at most one other, so cycles are found by walking on.
 */
#include "threads.h"

#include "hash.h"
#include "mem.h"

/* Thread numbers are unique on a machine, so one table serves threads of all processes. */
static struct map *index_threads(const struct threads *t)
{
	struct map *m = map_new();

	for (size_t i = 0; i < t->count; i++)
		map_put(m, t->items[i].tid, i);
	return m;
}

static bool is_blocked(const struct thread *t)
{
	return t->wait.kind != WAIT_NONE;
}

/* A process that is waited for stands for its only thread, or for its only one that is blocked in a
 * wait which another thread must end. */
static int thread_of_process(const struct threads *t, uint32_t pid)
{
	int only = -1, bound = -1;
	size_t threads = 0, bounds = 0;

	for (size_t i = 0; i < t->count; i++) {
		if (t->items[i].pid != pid || t->items[i].state == THREAD_EXITED)
			continue;
		only = (int)i;
		threads++;
		if (t->items[i].wait.bound) {
			bound = (int)i;
			bounds++;
		}
	}
	return threads == 1 ? only : bounds == 1 ? bound : -1;
}

static int target_of(const struct threads *t, const struct map *index, const struct thread_wait *w)
{
	uint64_t at;

	if (w->tid)
		return map_get(index, w->tid, &at) ? (int)at : -1;
	return w->pid ? thread_of_process(t, w->pid) : -1;
}

/* Nobody else can end the wait, and nothing of it has changed between two looks. */
static bool holds_still(const struct thread *t)
{
	return is_blocked(t) && t->wait.bound && !t->moved && t->waits_for >= 0;
}

static void add_cycle(struct threads *t, int first)
{
	struct thread_cycle cycle = {0};
	uint32_t capacity = 0;
	int at = first;

	do {
		GROW(cycle.members, cycle.count, capacity);
		cycle.members[cycle.count++] = (uint32_t)at;
		t->items[at].cycle = (int)t->cycle_count;
		t->items[at].in_cycle = true;
		at = t->items[at].waits_for;
	} while (at != first);
	t->cycles = xrealloc(t->cycles, (t->cycle_count + 1) * sizeof(*t->cycles));
	t->cycles[t->cycle_count++] = cycle;
}

/* Walks from a thread, marking who was met on this walk. Every thread is left behind once. */
static void walk(struct threads *t, size_t start, uint32_t *met)
{
	uint32_t mark = (uint32_t)start + 1;
	int at = (int)start;

	while (!met[at] && holds_still(&t->items[at])) {
		met[at] = mark;
		at = t->items[at].waits_for;
	}
	if (met[at] == mark)
		add_cycle(t, at);
}

/* Who waits for a member of a cycle waits for ever, too. */
static void mark_followers(struct threads *t)
{
	for (size_t i = 0; i < t->count; i++) {
		int at = (int)i;

		for (size_t steps = 0; steps < t->count && at >= 0 && t->items[at].cycle < 0;
		     steps++)
			at = holds_still(&t->items[at]) ? t->items[at].waits_for : -1;
		int cycle = at >= 0 ? t->items[at].cycle : -1;
		for (int back = (int)i; cycle >= 0 && t->items[back].cycle < 0;
		     back = t->items[back].waits_for)
			t->items[back].cycle = cycle;
	}
}

void threads_find_cycles(struct threads *t)
{
	_cleanup_(map_freep) struct map *index = index_threads(t);
	_cleanup_free_ uint32_t *met = xcalloc(t->count, sizeof(*met));

	for (size_t i = 0; i < t->count; i++) {
		struct thread *thread = &t->items[i];

		thread->cycle = -1;
		thread->in_cycle = false;
		thread->waits_for = is_blocked(thread) ? target_of(t, index, &thread->wait) : -1;
	}
	for (size_t i = 0; i < t->count; i++)
		if (!met[i])
			walk(t, i, met);
	mark_followers(t);
}
