// SPDX-License-Identifier: BSD-2-Clause
/* Threads held up because they had to free memory themselves, and processes killed for want of it. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>

#include "cleanup.h"
#include "fail.h"
#include "map_take.h"
#include "mem.h"
#include "probe.h"
#include "reclaim.h"

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

static void read_sums(struct capture *c, const struct reclaim_state *s, bool write)
{
	struct reclaim_key key;
	struct map_pass pass = {0};
	struct reclaim_sum sum;

	while (map_take(s->sums, &pass, &key, sizeof(key), &sum) == 0) {
		if (write && key.kind < RECLAIM_KINDS)
			add(c, s, &key, &sum);
	}
}

static void start(struct capture *c, void *arg)
{
	read_sums(c, arg, false);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	read_sums(c, arg, true);
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
