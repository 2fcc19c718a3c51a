/* SPDX-License-Identifier: BSD-2-Clause */
/* What the time of a request goes into: what the thread that received it, or the one that answers, has done meanwhile. */
#pragma once
#include "probe.bpf.h"
#include "service.h"

/* Where sums are added: found once, and again when the entry is another's by now. */
struct table_place {
	u64 id;
	u32 index;
};

struct connection {
	u64 since_ns;    /* the request can be read, or the call was sent; 0: there is none */
	u64 received_ns; /* the request, by thread tid; 0: not yet */
	u64 more_ns;     /* when more data came after that; 0: none */
	u32 tid, tgid;   /* who received, or called */
	u32 shift;       /* it stands for 1 << shift of its like */
	u64 told;        /* in the walk of that number */
	u64 before[PARTS_BEFORE]; /* parts of the request's time until it was received */
	u64 account[PARTS];       /* of the thread, when it received it */
	struct table_place latency, sums;
};

/* Of a thread that answers what others have received, when it last did so. */
struct serving {
	u64 since_ns;
	u64 account[PARTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct serving);
} servings SEC(".maps");

static __always_inline u64 elapsed(u64 since, u64 now)
{
	return now > since ? now - since : 0; /* another CPU's clock may be a little behind */
}

/* What the thread that runs has done so far. */
static __always_inline void take_account(const struct task_slot *slot, u64 now, u64 *account)
{
	const u64 *ns = slot->ns;

	account[PART_RUNQUEUE] = ns[STATE_RUNNABLE] + ns[STATE_PREEMPTED];
	account[PART_CPU] = ns[STATE_RUNNING] + elapsed(slot->since_ns, now);
	account[PART_LOCK] = ns[STATE_LOCK] + ns[STATE_KERNEL_LOCK];
	account[PART_DISK] = ns[STATE_DISK] + ns[STATE_DIRTY];
	account[PART_MEMORY] = ns[STATE_FAULT] + ns[STATE_RECLAIM];
	account[PART_PEER] = ns[STATE_POLL] + ns[STATE_NETWORK] + ns[STATE_IPC];
	account[PART_OTHER] = ns[STATE_SLEEPING] + ns[STATE_CHILD] + ns[STATE_SIGNAL] + ns[STATE_OTHER] + ns[STATE_STOPPED];
}

/* Until now nobody had received it. The thread that does so has come to a CPU for it, or for one before it. */
static __always_inline void split_before(struct connection *c, const struct task_slot *slot, u64 now)
{
	u64 ready = c->since_ns < now ? c->since_ns : now, on_cpu = slot->since_ns, runnable = slot->runnable_ns;
	u64 in_line = 0, running = 0;

	if (on_cpu > ready && on_cpu <= now && runnable <= on_cpu) {
		in_line = on_cpu - (runnable > ready ? runnable : ready);
		running = runnable >= ready ? now - on_cpu : 0;
	}
	c->before[PART_QUEUE] = now - ready - in_line - running;
	c->before[PART_RUNQUEUE] = in_line;
	c->before[PART_CPU] = running;
}

static __always_inline void receive(struct connection *c, const struct task_slot *slot, u64 now)
{
	c->received_ns = now;
	c->more_ns = 0;
	c->tid = slot ? slot->tid : 0;
	c->tgid = slot ? slot->tgid : 0;
	if (slot) {
		split_before(c, slot, now);
		take_account(slot, now, c->account);
	} else {
		c->before[PART_QUEUE] = elapsed(c->since_ns, now);
		c->before[PART_RUNQUEUE] = c->before[PART_CPU] = 0;
	}
}

/* More data has come since some was received. Whoever waited for it had only a part of the request, or the one before wants no
 * answer: the request begins here. Unless it waits for others in order to answer. */
static __always_inline bool begins_again(const struct connection *c, const struct task_slot *slot, u64 now)
{
	u64 account[PARTS];

	if (!slot || slot->tid != c->tid)
		return true;
	take_account(slot, now, account);
	return account[PART_PEER] != c->account[PART_PEER] && slot->called_ns < c->received_ns;
}

static __always_inline void received(struct connection *c, u64 now)
{
	const struct task_slot *slot = task_find((u32)bpf_get_current_pid_tgid());

	if (c->received_ns) {
		if (!begins_again(c, slot, now)) {
			c->more_ns = 0;
			return;
		}
		c->since_ns = c->more_ns;
	}
	receive(c, slot, now);
}

/* The parts' sum is the request's time. */
static __always_inline void add_parts(struct service_sums *e, const u64 *part, u64 whole, u32 shift)
{
	u64 known = 0;

#pragma unroll
	for (int i = 0; i < PARTS; i++) {
		known += part[i];
		e->part[i] += part[i] << (shift & 31);
	}
	e->part[PART_ELSEWHERE] += elapsed(known, whole) << (shift & 31);
}

/* What the thread has done since. An account may go back, when a switch was not seen. */
static __always_inline void take_growth(const struct task_slot *slot, const u64 *since, u64 now, u64 *growth)
{
	take_account(slot, now, growth);
#pragma unroll
	for (int i = PART_RUNQUEUE; i < PART_ELSEWHERE; i++)
		growth[i] = elapsed(since[i], growth[i]);
}

/* Of a thread that answers what another has received, growth is all since it last did so. Some of that was before the request was
 * there, in waiting for work: in what it waited in for that long, but not much longer. After its last call it waited for
 * the answer. */
static __always_inline bool take_off_idle(u64 *growth, u64 idle, u64 calling)
{
	u64 lock = growth[PART_LOCK], peer = elapsed(calling, growth[PART_PEER]), other = growth[PART_OTHER], least = ~0ull;

	if (lock >= idle)
		least = lock;
	if (peer >= idle && peer < least)
		least = peer;
	if (other >= idle && other < least)
		least = other;
	if (least == ~0ull)
		return false;
	if (least == lock)
		growth[PART_LOCK] -= idle;
	else if (least == peer)
		growth[PART_PEER] -= idle;
	else
		growth[PART_OTHER] -= idle;
	return true;
}

static __always_inline void split_other(const struct connection *c, const struct task_slot *slot, u64 now, u64 *part)
{
	struct serving *last = bpf_task_storage_get(&servings, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	u64 whole = elapsed(c->received_ns, now);

	if (!last || !slot) {
		part[PART_ELSEWHERE] = whole;
		return;
	}
	u64 since = last->since_ns;
	take_growth(slot, last->account, now, part);
	take_account(slot, now, last->account);
	last->since_ns = now;
	if (since && since >= c->received_ns) {
		part[PART_QUEUE] = since - c->received_ns; /* it was busy with another one */
		return;
	}
	u64 calling = slot->called_ns > c->received_ns ? elapsed(slot->called_ns, now) : 0;
	if (!since || !take_off_idle(part, c->received_ns - since, calling)) {
#pragma unroll
		for (int i = PART_RUNQUEUE; i < PART_ELSEWHERE; i++)
			part[i] = 0;
		part[PART_ELSEWHERE] = whole;
	}
}
