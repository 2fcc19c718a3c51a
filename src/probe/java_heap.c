// SPDX-License-Identifier: BSD-2-Clause
/* What Java's heaps hold after they have been collected, as the virtual machine tells its user's tools once it has collected.
 * What a process has of memory says nothing about that: a heap grows to its limit before old objects are looked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "io.h"
#include "java_counters.h"
#include "mem.h"
#include "module_file.h"
#include "probe.h"

enum { KEPT, LIMIT, COLLECTIONS, OLD_COLLECTIONS, EDEN, CAPACITY };

enum {
	MOST_MACHINES = 256,   /* open files */
	TRIES = 5,             /* slices: a file is there as soon as a virtual machine has begun */
	LARGEST_FILE = 1 << 20 /* 32 KiB by default */
};

struct machine {
	uint32_t process;
	int fd; /* -1: not found, or not to be read */
	unsigned tries;
	bool alive;
	struct java_counters written; /* the last ones; .collections UINT64_MAX: none */
};

struct java_state {
	struct probe_state probe;
	struct machine *machines;
	size_t count, capacity;
};

static bool is_java(const struct process *p)
{
	const char *name = p->exe ? strrchr(p->exe, '/') : NULL;

	return name && !strcmp(name, "/java");
}

static struct machine *find(struct java_state *s, uint32_t process)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->machines[i].process == process)
			return &s->machines[i];
	if (s->count == MOST_MACHINES)
		return NULL;
	GROW(s->machines, s->count, s->capacity);
	s->machines[s->count] = (struct machine){.process = process, .fd = -1, .tries = TRIES, .written.collections = UINT64_MAX};
	return &s->machines[s->count++];
}

static bool read_counters(struct machine *m, struct java_counters *ret_counters)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	return lseek(m->fd, 0, SEEK_SET) == 0 && read_fd(m->fd, LARGEST_FILE, &b) >= 0 &&
	       java_counters_parse(b.data, b.len, ret_counters) == 0;
}

/* Levels are written when they change. A collection is counted as it begins, and what it has left is told at its end. */
static void add(struct capture *c, const struct java_state *s, const struct thread *leader, struct machine *m)
{
	struct java_counters now;

	if (m->fd < 0 && m->tries) {
		m->tries--;
		m->fd = module_file_java_counters((pid_t)leader->process->pid);
	}
	if (m->fd < 0 || !read_counters(m, &now) || (now.collections == m->written.collections && now.kept_bytes == m->written.kept_bytes &&
						      now.capacity_bytes == m->written.capacity_bytes))
		return;
	capture_add(c, s->probe.first_metric + KEPT, leader->id, 0, 0, 1, (int64_t)now.kept_bytes);
	capture_add(c, s->probe.first_metric + LIMIT, leader->id, 0, 0, 1, (int64_t)now.limit_bytes);
	capture_add(c, s->probe.first_metric + COLLECTIONS, leader->id, 0, 0, 1, (int64_t)now.collections);
	capture_add(c, s->probe.first_metric + OLD_COLLECTIONS, leader->id, 0, 0, 1, (int64_t)now.old_collections);
	capture_add(c, s->probe.first_metric + EDEN, leader->id, 0, 0, 1, (int64_t)now.eden_bytes);
	capture_add(c, s->probe.first_metric + CAPACITY, leader->id, 0, 0, 1, (int64_t)now.capacity_bytes);
	m->written = now;
}

static void close_file(struct machine *m)
{
	if (m->fd >= 0)
		close(m->fd);
}

static void forget_ended(struct java_state *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->machines[i].alive)
			s->machines[kept++] = s->machines[i];
		else
			close_file(&s->machines[i]);
	s->count = kept;
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct java_state *s = arg;

	for (size_t i = 0; i < s->count; i++)
		s->machines[i].alive = false;
	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		const struct thread *t = tasks_get(c->tasks, i);

		if (t->tid != t->process->pid || t->end_ns != UINT64_MAX || (c->filter && !t->process->selected) || !is_java(t->process))
			continue;
		struct machine *m = find(s, t->process->id);
		if (!m)
			continue;
		m->alive = true;
		add(c, s, t, m);
	}
	forget_ended(s);
}

static void stop(struct capture *c, void *arg)
{
	struct java_state *s = arg;

	for (size_t i = 0; i < s->count; i++)
		close_file(&s->machines[i]);
	free(s->machines);
}

const struct probe probe_java_heap = {
	.name = "java_heap",
	.help = "what Java's heaps hold after a collection, from the counters in /tmp/hsperfdata_USER",
	.metrics = (const struct probe_metric[]){
		[KEPT] = {"heap.kept", "bytes", "of a Java process: in its heap after the last collection; a level, in slices with collections"},
		[LIMIT] = {"heap.limit", "bytes", "that its heap may have"},
		[COLLECTIONS] = {"heap.collections", "count", "so far, since the process began"},
		[OLD_COLLECTIONS] = {"heap.old_collections", "count", "so far, that looked at the old generation, too"},
		[EDEN] = {"heap.eden", "bytes", "room for what is new: so much is made between two collections"},
		[CAPACITY] = {"heap.capacity", "bytes", "that its heap has of the memory so far, used or not"},
		{0}},
	.state_size = sizeof(struct java_state),
	.slice = slice,
	.stop = stop,
};
