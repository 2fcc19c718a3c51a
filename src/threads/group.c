// SPDX-License-Identifier: BSD-2-Clause
/* Threads that do the same: equal state, kind of wait and stack, by name. */
#include "threads.h"

#include "intern.h"
#include "mem.h"

static void add_key(struct buf *b, const struct thread *t)
{
	const uint32_t head[] = {t->state, t->wait.kind, t->pid, (uint32_t)t->cycle,
				 (uint32_t)t->user_count};

	buf_reset(b);
	buf_add(b, head, sizeof(head));
	for (size_t i = 0; i < t->frame_count; i++) {
		buf_addstr(b, t->frames[i]);
		buf_addch(b, 0);
		if (t->sources && i < t->user_count && t->sources[i])
			buf_addstr(b, t->sources[i]);
	}
}

static void add_member(struct thread_group *g, uint32_t thread)
{
	/* Room grows at powers of two. */
	if (!(g->count & (g->count - 1)))
		g->members = xrealloc(g->members,
				      (g->count ? 2 * (size_t)g->count : 1) * sizeof(*g->members));
	g->members[g->count++] = thread;
}

static int largest_first(const void *a, const void *b)
{
	const struct thread_group *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return (x->members[0] > y->members[0]) - (x->members[0] < y->members[0]);
}

void threads_find_groups(struct threads *t)
{
	_cleanup_(intern_freep) struct intern *keys = intern_new();
	_cleanup_(buf_done) struct buf key = BUF_INIT;

	t->groups = xcalloc(t->count, sizeof(*t->groups));
	for (size_t i = 0; i < t->count; i++) {
		add_key(&key, &t->items[i]);
		add_member(&t->groups[intern_id(keys, key.data, key.len, NULL)], (uint32_t)i);
	}
	t->group_count = intern_count(keys);
	if (t->group_count)
		qsort(t->groups, t->group_count, sizeof(*t->groups), largest_first);
}
