// SPDX-License-Identifier: BSD-2-Clause
#include "task_times.h"

#include <string.h>

#include "hash.h"
#include "mem.h"
#include "store_internal.h"
#include "store_query.h"

static const char *const names[TASK_TIMES] = {
	"running", "runnable", "sleeping", "disk", "stopped",
};

struct accounts {
	struct map *index; /* of tasks */
	struct task_times *times;
	size_t count, capacity;
	struct map *metrics; /* id -> enum task_time */
};

static void accounts_done(struct accounts *a)
{
	map_free(a->index);
	map_free(a->metrics);
	free(a->times);
}

static struct task_times *account_of(struct accounts *a, uint32_t task)
{
	uint64_t i;

	if (map_get(a->index, task, &i))
		return &a->times[i];
	map_put(a->index, task, a->count);
	GROW(a->times, a->count, a->capacity);
	a->times[a->count] = (struct task_times){.task = task};
	return &a->times[a->count++];
}

static int find_metrics(struct store *s, struct accounts *a)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT metric, state FROM time_metric", &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		for (int i = 0; i < TASK_TIMES; i++)
			if (!strcmp(query_text(q, 1), names[i]))
				map_put(a->metrics, (uint64_t)query_int(q, 0), (uint64_t)i);
	return r;
}

static void add_row(struct accounts *a, struct query *q)
{
	struct task_times *t = account_of(a, (uint32_t)query_int(q, 0));
	int64_t count = query_int(q, 3);
	uint64_t which;

	if (!map_get(a->metrics, (uint64_t)query_int(q, 1), &which))
		return;
	store_add_to(&t->ns[which], query_int(q, 2));
	if (which == TIME_RUNNING)
		store_add_to(&t->switches, count);
	else if (which == TIME_RUNNABLE)
		store_add_to(&t->preempted, count);
}

/* Where it is kept by thread, it need not be put together. */
static int read_kept(struct store *s, struct accounts *a)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT task, switches, preempted, running, runnable, sleeping, disk, stopped FROM thread_time", &q);

	while (r >= 0 && (r = query_next(q)) > 0) {
		GROW(a->times, a->count, a->capacity);
		struct task_times *t = &a->times[a->count++];

		*t = (struct task_times){.task = (uint32_t)query_int(q, 0), .switches = query_int(q, 1), .preempted = query_int(q, 2)};
		for (int i = 0; i < TASK_TIMES; i++)
			t->ns[i] = query_int(q, 3 + i);
	}
	return r;
}

static int read_parts(struct store *s, struct accounts *a)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = find_metrics(s, a);

	if (r < 0 || (r = query_new(s, STORE_TIME_PARTS, &q)) < 0)
		return r;
	while ((r = query_next(q)) > 0)
		add_row(a, q);
	return r;
}

int store_task_times(struct store *s, struct task_times **ret_times, size_t *ret_count)
{
	_cleanup_(accounts_done) struct accounts a = {.index = map_new(), .metrics = map_new()};
	int r = s->totals ? read_kept(s, &a) : read_parts(s, &a);

	if (r < 0)
		return r;
	*ret_times = a.times;
	*ret_count = a.count;
	a.times = NULL;
	return 0;
}
