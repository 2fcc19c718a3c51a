// SPDX-License-Identifier: BSD-2-Clause
/* Processes that may wait for each other's data or end, such as one that waits for its child, which has written more than a pipe
 * takes and nobody reads. */
#include <stdlib.h>

#include "mem.h"
#include "other_end.h"
#include "raw.h"
#include "threads.h"

struct edge {
	struct thread_place from;
	uint32_t to;
};

/* The process that the thread waits for; 0: none, or it is not known. */
static uint32_t awaited(struct peers *p, const struct raw_threads *all, const struct raw_thread *t, struct arena *memory)
{
	struct space s = {.pid = t->r.tgid, .reader = t->r.tid}; /* its descriptors are all that is asked for */
	struct wait_context c = {.space = &s, .threads = all, .memory = memory};
	struct waiting w;

	waiting_read(&c, t, &w);
	other_end_find(p, t->r.tgid, &w, memory);
	return w.wait.bound ? w.wait.pid : 0;
}

static size_t find_edges(const struct thread_place *places, size_t count, struct edge *edges)
{
	_cleanup_(peers_freep) struct peers *p = peers_new();
	_cleanup_(arena_freep) struct arena *memory = arena_new();
	struct raw_threads all = {0};
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		bool read = i && places[i].pid == places[i - 1].pid;
		const struct raw_thread *t = !read && raw_proc_read(&places[i].pid, 1, &all) < 0
						     ? NULL : raw_find(&all, places[i].pid, places[i].tid);
		uint32_t to = t ? awaited(p, &all, t, memory) : 0;

		if (to)
			edges[found++] = (struct edge){places[i], to};
	}
	raw_threads_done(&all);
	return found;
}

static bool waits(const struct edge *edges, size_t count, uint32_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (edges[i].from.pid == pid)
			return true;
	return false;
}

/* Who waits for a process that waits for none can go on; what is left leads round in circles. */
static size_t trim(struct edge *edges, size_t count)
{
	for (size_t before = count + 1; count < before;) {
		size_t kept = 0;

		for (size_t i = 0; i < count; i++)
			if (waits(edges, count, edges[i].to))
				edges[kept++] = edges[i];
		before = count;
		count = kept;
	}
	return count;
}

size_t threads_suspect_pipes(struct thread_place *places, size_t count)
{
	_cleanup_free_ struct edge *edges = xcalloc(count + 1, sizeof(*edges));

	count = trim(edges, find_edges(places, count, edges));
	for (size_t i = 0; i < count; i++)
		places[i] = edges[i].from;
	return count;
}
