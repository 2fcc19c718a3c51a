// SPDX-License-Identifier: BSD-2-Clause
#include "pending.h"

#include <string.h>

#include "hash.h"
#include "mappings.h"
#include "mem.h"
#include "tasks.h"

/* A second of samples of forty busy CPUs: who is further behind loses user stacks, and says so. */
#define MOST_PENDING 4096

struct pendings {
	struct map *by_cookie; /* -> struct pending * */
	uint64_t last_cookie;
};

struct pendings *pendings_new(void)
{
	struct pendings *ps = xcalloc(1, sizeof(*ps));

	ps->by_cookie = map_new();
	return ps;
}

void pendings_free(struct pendings *ps)
{
	struct pending *p;

	if (!ps)
		return;
	while ((p = pendings_take_any(ps)))
		pending_free(p);
	map_free(ps->by_cookie);
	free(ps);
}

bool pendings_full(const struct pendings *ps)
{
	return map_count(ps->by_cookie) >= MOST_PENDING;
}

uint32_t pendings_count(const struct pendings *ps)
{
	return (uint32_t)map_count(ps->by_cookie);
}

uint64_t pendings_add(struct pendings *ps, struct process *p, const struct stack_capture *capture, uint64_t now_ns,
		      struct python_stack *python, stacks_done *done, const void *data, size_t data_len)
{
	uint32_t kernel = capture->kernel_depth <= STACK_DEPTH ? capture->kernel_depth : STACK_DEPTH;
	uint32_t walked = capture->user_depth <= STACK_DEPTH ? capture->user_depth : STACK_DEPTH, depth = kernel + walked;
	struct pending *pending = xmalloc(sizeof(*pending) + depth * sizeof(pending->frames[0]));

	pending->process = process_hold(p);
	pending->mappings = mappings_ref(p->mappings);
	pending->now_ns = now_ns;
	pending->python = python;
	pending->done = done;
	memcpy(pending->data, data, data_len < STACKS_DATA_BYTES ? data_len : STACKS_DATA_BYTES);
	pending->kernel_depth = kernel;
	pending->walked_depth = walked;
	memcpy(pending->frames, capture->frames, depth * sizeof(pending->frames[0]));
	map_put(ps->by_cookie, ++ps->last_cookie, (uintptr_t)pending);
	return ps->last_cookie;
}

struct pending *pendings_take(struct pendings *ps, uint64_t cookie)
{
	uint64_t value;

	if (!map_get(ps->by_cookie, cookie, &value))
		return NULL;
	map_remove(ps->by_cookie, cookie);
	return (struct pending *)(uintptr_t)value;
}

struct pending *pendings_take_any(struct pendings *ps)
{
	size_t cursor = 0;
	uint64_t cookie, value;

	return map_next(ps->by_cookie, &cursor, &cookie, &value) ? pendings_take(ps, cookie) : NULL;
}

void pending_free(struct pending *p)
{
	process_release(p->process);
	mappings_unref(p->mappings);
	free(p->python);
	free(p);
}
