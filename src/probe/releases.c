// SPDX-License-Identifier: BSD-2-Clause
#include "releases.h"

#include <stdlib.h>

#include "clock.h"
#include "hash.h"
#include "mem.h"

/* A wake-up takes microseconds, and who has been woken may have to wake the next. */
#define TOGETHER_NS NS_PER_MS
/* How far apart threads may begin to wait that are stopped by one cause: they notice it at their next safe point. */
#define MOMENT_NS (2 * NS_PER_MS)

enum { MOMENT_PART = 4, /* or this part of the pause */
       MOST_MEMBERS = 4096, MOST_WOKEN = 1 << 16 };

/* Threads of a process that go on at about the same time. */
struct group {
	uint32_t waker, waker_tid;
	uint64_t waker_woken_ns; /* when it was last let go on itself; 0 unknown */
	uint64_t first_ns, last_ns;
	uint64_t *since; /* by member */
	size_t count, capacity;
};

struct releases {
	struct map *groups; /* by process -> struct group * */
	struct map *woken;  /* by task -> when */
	releases_found *found;
	void *arg;
};

struct releases *releases_new(releases_found *found, void *arg)
{
	struct releases *rs = xcalloc(1, sizeof(*rs));

	*rs = (struct releases){.groups = map_new(), .woken = map_new(), .found = found, .arg = arg};
	return rs;
}

static void group_free(struct group *g)
{
	free(g->since);
	free(g);
}

void releases_free(struct releases *rs)
{
	uint64_t process, value;
	size_t cursor = 0;

	if (!rs)
		return;
	while (map_next(rs->groups, &cursor, &process, &value))
		group_free((struct group *)(uintptr_t)value);
	map_free(rs->groups);
	map_free(rs->woken);
	free(rs);
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of threads that go on together some may have waited for something else before: the most that began to wait
 * within a moment are those that were stopped. Some of them come late, out of a system call. */
static void tell(const struct releases *rs, uint32_t process, struct group *g)
{
	struct world_stop stop = {.process = process, .waker = g->waker, .waker_tid = g->waker_tid, .end_ns = g->first_ns};

	qsort(g->since, g->count, sizeof(*g->since), by_time);
	for (size_t first = 0, last = 0; last < g->count; last++) {
		uint64_t length = g->first_ns > g->since[last] ? g->first_ns - g->since[last] : 0;
		uint64_t moment = length / MOMENT_PART > MOMENT_NS ? length / MOMENT_PART : MOMENT_NS;

		first = 0;
		while (g->since[last] - g->since[first] > moment)
			first++;
		if (last - first + 1 < stop.threads)
			continue;
		stop.threads = (uint32_t)(last - first + 1);
		stop.start_ns = g->since[(first + last) / 2];
		stop.spread_ns = g->since[last] - g->since[first];
		stop.early = 0;
		for (size_t i = first; i <= last; i++)
			stop.early += g->since[i] < g->waker_woken_ns;
	}
	if (stop.end_ns > stop.start_ns)
		rs->found(rs->arg, &stop);
}

static void close_group(struct releases *rs, uint32_t process, struct group *g)
{
	map_remove(rs->groups, process);
	tell(rs, process, g);
	group_free(g);
}

void releases_add(struct releases *rs, const struct release *r)
{
	struct group *g = NULL;
	uint64_t value;

	if (map_get(rs->groups, r->process, &value))
		g = (struct group *)(uintptr_t)value;
	if (g && (r->woken_ns > g->last_ns + TOGETHER_NS || g->count >= MOST_MEMBERS)) {
		close_group(rs, r->process, g);
		g = NULL;
	}
	if (!g) {
		g = xcalloc(1, sizeof(*g));
		*g = (struct group){.waker = r->waker, .waker_tid = r->waker_tid, .first_ns = r->woken_ns};
		map_get(rs->woken, r->waker, &g->waker_woken_ns);
		map_put(rs->groups, r->process, (uintptr_t)g);
	}
	if (r->woken_ns < g->first_ns)
		g->first_ns = r->woken_ns;
	if (r->woken_ns > g->last_ns)
		g->last_ns = r->woken_ns;
	GROW(g->since, g->count, g->capacity);
	g->since[g->count++] = r->since_ns;
	map_put(rs->woken, r->task, r->woken_ns);
}

void releases_settle(struct releases *rs, uint64_t now_ns)
{
	uint64_t process, value;
	size_t cursor = 0;

	if (map_count(rs->woken) >= MOST_WOKEN) {
		map_free(rs->woken);
		rs->woken = map_new();
	}
	while (map_next(rs->groups, &cursor, &process, &value)) {
		struct group *g = (struct group *)(uintptr_t)value;

		if (g->last_ns + TOGETHER_NS >= now_ns)
			continue;
		close_group(rs, (uint32_t)process, g);
		cursor = 0; /* the table has changed */
	}
}
