// SPDX-License-Identifier: BSD-2-Clause
#include "raw.h"

#include <string.h>

#include "mem.h"

void raw_threads_done(struct raw_threads *t)
{
	free(t->items);
	*t = (struct raw_threads){0};
}

struct raw_thread *raw_add(struct raw_threads *t)
{
	GROW(t->items, t->count, t->capacity);
	memset(&t->items[t->count], 0, sizeof(*t->items));
	return &t->items[t->count++];
}

static int by_thread(const void *a, const void *b)
{
	const struct thread_record *x = &((const struct raw_thread *)a)->r,
				   *y = &((const struct raw_thread *)b)->r;

	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

void raw_sort(struct raw_threads *t)
{
	if (t->count)
		qsort(t->items, t->count, sizeof(*t->items), by_thread);
}

const struct raw_thread *raw_find(const struct raw_threads *t, uint32_t pid, uint32_t tid)
{
	struct raw_thread key = {.r = {.tgid = pid, .tid = tid}};

	return t->count ? bsearch(&key, t->items, t->count, sizeof(*t->items), by_thread) : NULL;
}

const struct raw_thread *raw_find_own(const struct raw_threads *t, uint32_t pid, uint32_t own_tid)
{
	const struct raw_thread *same = raw_find(t, pid, own_tid);

	if (same && raw_same_namespace(same))
		return same;
	for (size_t i = 0; i < t->count; i++)
		if (t->items[i].r.tgid == pid && t->items[i].r.own_tid == own_tid)
			return &t->items[i];
	return NULL;
}

bool raw_is_still(const struct raw_thread *t)
{
	return !(t->r.flags & THREAD_ON_CPU);
}
