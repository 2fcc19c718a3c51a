// SPDX-License-Identifier: BSD-2-Clause
/* How much memory each process has, over time, from /proc/PID/statm: of those that have touched any since they were last asked. */

#include "clock.h"
#include "hash.h"
#include "mem.h"
#include "probe.h"
#include "proc.h"

enum { RESIDENT, PRIVATE, DATA, AGE };

enum {
	MOST_ASKED = 2000, /* processes a slice */
	ANYHOW_EVERY = 8,  /* slices: memory is given back without a fault */
	NOTICEABLE = 16384, /* bytes */
	SHARED_NOTICEABLE = 1 << 18,
	PAGE = 4096
};

struct resident_state {
	struct probe_state probe;
	struct map *faults; /* process id -> page faults so far, when it was last asked */
	struct map *bytes;  /* process id -> resident memory that was last written */
	struct map *first;  /* process id -> pages that it shared (upper half) and had mapped when it was first asked */
};

/* Page faults of its threads. */
static void count_faults(struct capture *c, struct map *sums)
{
	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		const struct thread *t = tasks_get(c->tasks, i);
		uint64_t sum = 0;

		if (t->slot < 0)
			continue;
		map_get(sums, t->process->id, &sum);
		map_put(sums, t->process->id, sum + c->task_slots[t->slot].faults);
	}
}

static uint64_t get(const struct map *m, uint32_t process)
{
	uint64_t value = UINT64_MAX;

	map_get(m, process, &value);
	return value;
}

/* Shared memory that it has mapped since and touched leaks as its own does. What lies in files is the page cache's, and what had been
 * mapped before may be others', too, as a database's buffers are. */
static uint64_t shared_since(struct resident_state *s, const struct process *p, const struct proc_memory *now)
{
	uint64_t first, shared, mapped, bytes;

	if (!map_get(s->first, p->id, &first)) {
		mapped = now->mapped / PAGE;
		map_put(s->first, p->id, now->shared / PAGE << 32 | (mapped < UINT32_MAX ? mapped : UINT32_MAX));
		return 0;
	}
	shared = (first >> 32) * PAGE;
	mapped = (first & UINT32_MAX) * PAGE;
	if (now->shared < shared + SHARED_NOTICEABLE || now->mapped < mapped + SHARED_NOTICEABLE || proc_shared_memory(p->pid, &bytes) < 0)
		return 0;
	if (bytes > now->shared - shared)
		bytes = now->shared - shared;
	return bytes < now->mapped - mapped ? bytes : now->mapped - mapped;
}

/* Of one that was there before the recording, as that began. */
static void add_age(struct capture *c, const struct resident_state *s, const struct thread *leader)
{
	uint64_t age, recorded = clock_mono_ns() - c->start_ns;

	if (proc_age(leader->process->pid, &age) >= 0 && age > recorded)
		capture_add(c, s->probe.first_metric + AGE, leader->id, 0, 0, 1, (int64_t)(age - recorded));
}

static void add(struct capture *c, struct resident_state *s, const struct thread *leader, struct map *bytes)
{
	uint64_t before = get(s->bytes, leader->process->id);
	struct proc_memory size;

	if (proc_memory(c->files, leader->process->pid, &size) < 0)
		return;
	if (before == UINT64_MAX)
		add_age(c, s, leader);
	if (before == UINT64_MAX || llabs((long long)(size.resident - before)) >= NOTICEABLE) {
		capture_add(c, s->probe.first_metric + RESIDENT, leader->id, 0, 0, 1, (int64_t)size.resident);
		capture_add(c, s->probe.first_metric + PRIVATE, leader->id, 0, 0, 1,
			    (int64_t)(size.private + shared_since(s, leader->process, &size)));
		capture_add(c, s->probe.first_metric + DATA, leader->id, 0, 0, 1, (int64_t)size.data);
		before = size.resident;
	}
	map_put(bytes, leader->process->id, before);
}

static void replace(struct map **old, struct map *with)
{
	map_free(*old);
	*old = with;
}

/* The maps are made anew each slice, so that they hold living processes alone. */
static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct resident_state *s = arg;
	struct map *faults = map_new(), *bytes = map_new(), *first = map_new();
	uint32_t asked = 0;
	uint64_t pages;

	count_faults(c, faults);
	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		const struct thread *t = tasks_get(c->tasks, i);
		uint32_t id = t->process->id;

		if (t->tid != t->process->pid || t->end_ns != UINT64_MAX || t->process->flags & PROCESS_KERNEL ||
		    (c->filter && !t->process->selected))
			continue;
		if ((get(faults, id) != get(s->faults, id) || (c->slice + id) % ANYHOW_EVERY == 0) && asked++ < MOST_ASKED)
			add(c, s, t, bytes);
		else
			map_put(bytes, id, get(s->bytes, id));
		if (map_get(s->first, id, &pages))
			map_put(first, id, pages);
	}
	replace(&s->faults, faults);
	replace(&s->bytes, bytes);
	replace(&s->first, first);
}

static void start(struct capture *c, void *arg)
{
	struct resident_state *s = arg;

	s->faults = map_new();
	s->bytes = map_new();
	s->first = map_new();
}

static void stop(struct capture *c, void *arg)
{
	struct resident_state *s = arg;

	map_free(s->faults);
	map_free(s->bytes);
	map_free(s->first);
}

const struct probe probe_resident = {
	.name = "resident",
	.help = "memory of each process over time, from /proc",
	.metrics = (const struct probe_metric[]){
		[RESIDENT] = {"memory.resident", "bytes", "resident memory of a process: a level, in slices in which it has changed"},
		[PRIVATE] = {"memory.private", "bytes", "the part of it that no file and no other process shares, and shared memory that "
				       "it maps during the recording"},
		[DATA] = {"memory.data", "bytes", "what it has set aside to write to, touched or not, with its stacks; written when memory.resident is"},
		[AGE] = {"process.age", "ns", "of a process that was there before the recording, as that began"},
		{0}},
	.state_size = sizeof(struct resident_state),
	.start = start,
	.slice = slice,
	.stop = stop,
};
