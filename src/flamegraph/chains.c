// SPDX-License-Identifier: BSD-2-Clause
#include "chains.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "frame_of.h"
#include "hash.h"
#include "mem.h"
#include "store_query.h"

#define LEAST_SHARE 2e-5 /* of all waits: what would be seen of it */

struct adding {
	struct flame *flame;
	enum flame_side side;
	struct stack_view *view;
	chain_thread_of *thread;
	void *arg;
	struct flame_frame *frames;
	size_t count, capacity;
	uint64_t chains;
};

static void push(struct adding *a, const char *name, enum flame_kind kind)
{
	GROW(a->frames, a->count, a->capacity);
	a->frames[a->count++] = (struct flame_frame){.name = name, .kind = kind};
}

static void push_stack(struct adding *a, uint32_t stack)
{
	size_t depth;
	const struct stack_frame *const *walk = stack_view_walk(a->view, stack, &depth);

	if (!depth)
		push(a, "[stack not readable]", FLAME_UNKNOWN);
	for (size_t i = 0; i < depth; i++)
		push(a, walk[i]->name, flame_kind_of(walk[i]));
}

/* What an interrupt brought is told by what was waited for. */
static const char *device_of(const struct chain_hop *waited)
{
	static const struct {
		const char *cause, *device;
	} devices[] = {{"disk", "[disk]"}, {"fault", "[disk]"}, {"net", "[network]"}, {"sleep", "[timer]"}};

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (!strcmp(waited->cause, devices[i].cause))
			return devices[i].device;
	return "[interrupt]";
}

/* The waiter's process and thread; then each one's thread, with its process where that changes. */
static void push_thread(struct adding *a, uint32_t task, uint32_t before)
{
	struct chain_thread t = a->thread(a->arg, task);
	bool changes = !before || a->thread(a->arg, before).process_id != t.process_id;

	if (changes)
		push(a, t.process, FLAME_TASK);
	if (!changes || strcmp(t.comm, t.process))
		push(a, t.comm, FLAME_TASK);
}

static void add_chain(void *arg, const struct chain_hop *hops, size_t count, double ns)
{
	struct adding *a = arg;

	a->count = 0;
	for (size_t i = 0; i < count; i++) {
		if (hops[i].kind == HOP_INTERRUPT) {
			push(a, device_of(&hops[i - 1]), FLAME_TASK);
			continue;
		}
		push_thread(a, hops[i].task, i ? hops[i - 1].task : 0);
		if (hops[i].kind == HOP_QUEUES)
			push(a, "[waits for a CPU]", FLAME_TASK);
		else
			push_stack(a, hops[i].stack);
	}
	flame_add(a->flame, a->side, a->frames, a->count, ns);
	a->chains++;
}

uint64_t flame_add_wait_chains(struct flame *f, enum flame_side side, struct wait_chains *chains, struct stack_view *view,
			       bool idle, double least_share, chain_thread_of *thread, void *arg)
{
	struct adding a = {.flame = f, .side = side, .view = view, .thread = thread, .arg = arg};

	wait_chains_walk(chains, idle, least_share * wait_chains_total(chains, idle), add_chain, &a);
	free(a.frames);
	return a.chains;
}

static int load_threads(struct store *s, struct arena *strings, struct map *threads)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT t.id, t.comm, p.comm, p.id FROM main.task t JOIN main.process p ON p.id = t.process", &q);

	while (r >= 0 && (r = query_next(q)) > 0) {
		struct chain_thread *t = arena_alloc(strings, sizeof(*t));

		t->comm = arena_strndup(strings, query_text(q, 1), strlen(query_text(q, 1)));
		t->process = arena_strndup(strings, query_text(q, 2), strlen(query_text(q, 2)));
		t->process_id = (uint32_t)query_int(q, 3);
		map_put(threads, (uint64_t)query_int(q, 0), (uintptr_t)t);
	}
	return r;
}

static struct chain_thread thread_of(void *arg, uint32_t task)
{
	const struct map *threads = arg;
	uint64_t value;

	return map_get(threads, task, &value) ? *(const struct chain_thread *)(uintptr_t)value :
	       (struct chain_thread){.comm = "[unknown thread]", .process = "[unknown process]"};
}

int flame_add_chains(struct flame *f, enum flame_side side, struct store *s, bool idle, struct recorded *ret_recorded)
{
	_cleanup_(wait_chains_freep) struct wait_chains *chains = NULL;
	_cleanup_(stack_view_freep) struct stack_view *view = NULL;
	_cleanup_(arena_freep) struct arena *strings = arena_new();
	_cleanup_(map_freep) struct map *threads = map_new();
	int r;

	if ((r = store_keep_totals(s)) < 0 || (r = load_threads(s, strings, threads)) < 0 || (r = stack_view_new(s, &view)) < 0 ||
	    (r = wait_chains_new(s, &chains)) < 0)
		return r;
	ret_recorded->samples = flame_add_wait_chains(f, side, chains, view, idle, LEAST_SHARE, thread_of, threads);
	return ret_recorded->samples > 0;
}
