// SPDX-License-Identifier: BSD-2-Clause
#include "pause_time.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "mem.h"

/* Of either the latest are kept: pauses are rare, and activities are samples, which come at a known rate. */
enum { MOST_PAUSES = 256, MOST_ACTIVITIES = 1 << 15 };

struct pause_time {
	struct pause *pauses;
	size_t pause_count, pause_capacity;
	struct activity *activities;
	size_t activity_count, activity_capacity;
	pause_time_found *found;
	void *arg;
};

struct pause_time *pause_time_new(pause_time_found *found, void *arg)
{
	struct pause_time *t = xcalloc(1, sizeof(*t));

	t->found = found;
	t->arg = arg;
	return t;
}

void pause_time_free(struct pause_time *t)
{
	if (!t)
		return;
	free(t->pauses);
	free(t->activities);
	free(t);
}

/* Others' help is awaited by a lock: it is the help that counts. */
static bool is_held_up(uint8_t state)
{
	return state == STATE_DISK || state == STATE_FAULT || state == STATE_RECLAIM || state == STATE_DIRTY ||
	       state == STATE_KERNEL_LOCK;
}

static bool counts(const struct pause *p, const struct activity *a)
{
	if (a->process != p->process)
		return false;
	if (p->alone)
		return a->task == p->task;
	return a->state == STATE_RUNNING || (a->task == p->task && is_held_up(a->state));
}

static void match(const struct pause_time *t, const struct pause *p, const struct activity *a)
{
	uint64_t start = a->start_ns > p->start_ns ? a->start_ns : p->start_ns;
	uint64_t end = a->end_ns < p->end_ns ? a->end_ns : p->end_ns;

	if (start < end && counts(p, a))
		t->found(t->arg, p, a, end - start);
}

void pause_time_add(struct pause_time *t, const struct pause *p)
{
	for (size_t i = 0; i < t->activity_count; i++)
		match(t, p, &t->activities[i]);
	if (t->pause_count >= MOST_PAUSES)
		memmove(t->pauses, t->pauses + 1, --t->pause_count * sizeof(*p));
	GROW(t->pauses, t->pause_count, t->pause_capacity);
	t->pauses[t->pause_count++] = *p;
}

void pause_time_active(struct pause_time *t, const struct activity *a)
{
	for (size_t i = 0; i < t->pause_count; i++)
		match(t, &t->pauses[i], a);
	if (t->activity_count >= MOST_ACTIVITIES) { /* half at once: to move them one by one would be slow */
		t->activity_count /= 2;
		memmove(t->activities, t->activities + MOST_ACTIVITIES - t->activity_count, t->activity_count * sizeof(*a));
	}
	GROW(t->activities, t->activity_count, t->activity_capacity);
	t->activities[t->activity_count++] = *a;
}

uint64_t pause_time_known(const struct pause_time *t, uint32_t process, uint32_t metric, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < t->pause_count; i++) {
		const struct pause *p = &t->pauses[i];
		uint64_t start = p->start_ns > start_ns ? p->start_ns : start_ns, end = p->end_ns < end_ns ? p->end_ns : end_ns;

		if (p->process == process && p->metric == metric && start < end)
			ns += end - start;
	}
	return ns;
}

void pause_time_forget(struct pause_time *t, uint64_t before_ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->pause_count; i++)
		if (t->pauses[i].end_ns >= before_ns)
			t->pauses[kept++] = t->pauses[i];
	t->pause_count = kept;
	kept = 0;
	for (size_t i = 0; i < t->activity_count; i++)
		if (t->activities[i].end_ns >= before_ns)
			t->activities[kept++] = t->activities[i];
	t->activity_count = kept;
}
