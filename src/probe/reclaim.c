// SPDX-License-Identifier: BSD-2-Clause
/* Threads held up because they had to free memory themselves, and processes killed for want of it. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "fail.h"
#include "io.h"
#include "map_take.h"
#include "mem.h"
#include "probe.h"
#include "reclaim.h"

enum {
	MOST_SUMS = 8192,  /* entries of the map */
	MOST_HOLDERS = 10, /* processes whose memory is written */
	MOST_ASKED = 2000, /* processes */
};

enum { RESIDENT = RECLAIM_KINDS }; /* metric */

#define NOTEWORTHY_NS (10 * NS_PER_MS) /* a slice */

struct reclaim_state {
	struct probe_state probe;
	int sums;
};

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct reclaim_state *s = arg;

	s->sums = bpf_object__find_map_fd_by_name(object, "reclaim_sums");
	return s->sums < 0 ? fail(-ENOENT, "find its map") : 0;
}

static void add(struct capture *c, const struct reclaim_state *s, const struct reclaim_key *key,
		const struct reclaim_sum *sum)
{
	const struct thread *t = tasks_recent(c->tasks, key->tid, key->tgid);

	if (c->filter && !t->process->selected)
		return;
	capture_add(c, s->probe.first_metric + key->kind, t->id, 0, 0, sum->count, sum->ns);
}

/* Returns their time together. */
static uint64_t read_sums(struct capture *c, const struct reclaim_state *s, bool write)
{
	uint64_t ns = 0;
	struct reclaim_key key;
	struct reclaim_sum sum;

	for (int i = 0; i < MOST_SUMS && bpf_map_get_next_key(s->sums, NULL, &key) == 0; i++) {
		if (map_take(s->sums, &key, &sum) < 0)
			return ns;
		ns += sum.ns;
		if (write && key.kind < RECLAIM_KINDS)
			add(c, s, &key, &sum);
	}
	return ns;
}

static void start(struct capture *c, void *arg)
{
	read_sums(c, arg, false);
}

struct resident {
	uint32_t task;
	uint64_t bytes;
};

static uint64_t resident_bytes(uint32_t pid)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	unsigned long long pages;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/statm", pid);
	if (read_file(path, 4096, &b) < 0 || sscanf(b.data, "%*u %llu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Keeps the largest, in order. */
static void rank(struct resident *top, uint32_t task, uint64_t bytes)
{
	for (int i = 0; i < MOST_HOLDERS; i++) {
		struct resident moved = top[i];

		if (bytes <= moved.bytes)
			continue;
		top[i] = (struct resident){.task = task, .bytes = bytes};
		task = moved.task;
		bytes = moved.bytes;
	}
}

/* Who holds the memory, asked only while it is short. */
static void add_holders(struct capture *c, const struct reclaim_state *s)
{
	struct resident top[MOST_HOLDERS] = {0};

	for (uint32_t i = 0, asked = 0; i < tasks_count(c->tasks) && asked < MOST_ASKED; i++) {
		const struct thread *t = tasks_get(c->tasks, i);

		if (t->tid != t->process->pid || t->end_ns != UINT64_MAX || t->process->flags & PROCESS_KERNEL)
			continue;
		asked++;
		rank(top, t->id, resident_bytes(t->tid));
	}
	for (int i = 0; i < MOST_HOLDERS && top[i].bytes; i++)
		capture_add(c, s->probe.first_metric + RESIDENT, top[i].task, 0, 0, 1, top[i].bytes);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	if (read_sums(c, arg, true) >= NOTEWORTHY_NS)
		add_holders(c, arg);
}

static void record(struct capture *c, void *state, const struct record *r)
{
	const struct victim_record *killed = (const struct victim_record *)r;
	const struct thread *victim = tasks_recent(c->tasks, killed->victim, killed->victim);
	_cleanup_free_ char *detail = xasprintf("%.*s (%u) wanted memory", COMM_LENGTH, killed->comm, r->tgid);

	if (c->start_ns && r->time_ns >= c->start_ns)
		store_add_event(c->store, capture_time(c, r->time_ns), "oom.kill", victim->id, 0, r->tgid, detail);
}

extern const char perfscope_reclaim_object[];
extern const unsigned long perfscope_reclaim_object_size;

const struct probe probe_reclaim = {
	.name = "reclaim",
	.help = "threads that have to free memory before they get some; processes killed for want of it",
	.metrics = (const struct probe_metric[]){
		[RECLAIM_MACHINE] = {"reclaim.direct", "ns", "held up because the machine's memory was short"},
		[RECLAIM_CGROUP] = {"reclaim.cgroup", "ns", "held up because the cgroup's memory limit was reached"},
		[RECLAIM_COMPACTION] = {"reclaim.compaction", "ns", "held up to make room for a large page"},
		[RESIDENT] = {"memory.resident", "bytes", "of the largest processes, in slices in which memory was short"},
		{0}},
	.object = perfscope_reclaim_object,
	.object_size = &perfscope_reclaim_object_size,
	.state_size = sizeof(struct reclaim_state),
	.attach = attach,
	.start = start,
	.record = record,
	.slice = slice,
	.records = 1u << RECORD_VICTIM,
};
