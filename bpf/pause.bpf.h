/* SPDX-License-Identifier: BSD-2-Clause */
/* What pauses of processes are found from: long waits that another thread of the process ends, bursts of event loops
 * from poll to poll, stops. Only what takes long is told; the rest is a comparison in the switch and wake hooks. */
#pragma once
#include "probe.bpf.h"

#define LONG_WAIT_NS 8000000ull   /* pauses of 10 ms are to be found: some threads stop a little late */
#define LONG_BURST_NS 20000000ull /* clients notice from about here on */
#define LONG_STOP_NS 10000000ull  /* a tracer stops its process at each system call, shortly */

/* A program may have any number of threads that wait long for each other: so many records a second on a CPU. */
enum { MOST_RELEASES = 2000 };
#define RELEASES_NS 1000000000ull

static __noinline int send_burst(struct task_struct *task, struct cpu_slot *cpu, u64 now)
{
	struct burst_record *r;

	if (!task || !cpu)
		return 0;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		count(cpu, LOST_RECORDS);
		return 0;
	}
	fill_head(&r->head, RECORD_BURST, now, task);
	r->since_ns = cpu->progress_ns;
	r->queued_ns = cpu->queued_ns;
	bpf_ringbuf_submit(r, ring_flags());
	return 0;
}

/* The event loop that runs here has come back to its poll, or has done something for others. */
static __always_inline void end_burst(struct task_struct *task, struct cpu_slot *cpu, u64 now)
{
	if (now - cpu->progress_ns >= LONG_BURST_NS)
		send_burst(task, cpu, now);
	cpu->progress_ns = now;
	cpu->queued_ns = 0;
}

/* The thread is no longer the one that runs here. */
static __always_inline void keep_loop(struct task_slot *slot, struct cpu_slot *cpu)
{
	slot->progress_ns = cpu->progress_ns;
	slot->queued_ns = cpu->queued_ns;
	cpu->progress_ns = 0;
}

/* The thread leaves its CPU; its state is set. */
static __always_inline void leave_loop(struct task_struct *task, struct task_slot *slot, struct cpu_slot *cpu, u64 now)
{
	if (!cpu)
		return;
	if (slot->for_many) {
		slot->polls++;
		if (cpu->progress_ns && slot->for_many == POLL_OF_LOOP)
			end_burst(task, cpu, now);
	}
	keep_loop(slot, cpu);
}

/* The thread gets a CPU, for which it had to wait so long; its state is still the one before. */
static __always_inline void enter_loop(struct task_slot *slot, struct cpu_slot *cpu, u64 now, u64 queued)
{
	if (!cpu)
		return;
	bool polled = slot->for_many && (slot->for_many != POLL_UNSEEN || slot->woken_ns);

	slot->for_many = POLL_NONE;
	if (polled) {
		cpu->progress_ns = now;
		cpu->queued_ns = 0;
	} else {
		cpu->progress_ns = slot->progress_ns;
		cpu->queued_ns = slot->queued_ns + queued;
	}
}

static __noinline int send_release(struct task_struct *task, struct task_slot *slot, struct cpu_slot *cpu, u64 now)
{
	struct release_record *r;

	if (!task || !slot || !cpu)
		return 0;
	if (now - cpu->releases_ns >= RELEASES_NS) {
		cpu->releases_ns = now;
		cpu->releases = 0;
	}
	if (cpu->releases++ >= MOST_RELEASES || !selected(slot)) {
		count(cpu, LOST_RELEASES);
		return 0;
	}
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		count(cpu, LOST_RECORDS);
		return 0;
	}
	fill_head(&r->head, RECORD_RELEASE, now, task);
	r->since_ns = slot->since_ns;
	r->other_tid = (u32)bpf_get_current_pid_tgid();
	bpf_ringbuf_submit(r, ring_flags());
	return 0;
}

/* The thread that runs here, WHO, ends a wait: of a thread of its own process, or of another's, which is what loops are for. */
static __always_inline void note_release(struct task_struct *task, struct task_slot *slot, struct cpu_slot *cpu, u64 who, u64 now)
{
	if (!cpu)
		return;
	if (slot->tgid != who >> 32) {
		if (cpu->progress_ns && cpu->running == (u32)who && !(slot->flags & TASK_KERNEL))
			end_burst(current_task(), cpu, now);
	} else if (now - slot->since_ns >= LONG_WAIT_NS && (slot->state == STATE_LOCK || slot->state == STATE_SIGNAL)) {
		send_release(task, slot, cpu, now);
	}
}

/* A thread that was stopped goes on. */
static __noinline int note_stop(struct task_struct *task, struct task_slot *slot, u64 now)
{
	struct stop_record *r;

	if (!task || !slot || now - slot->since_ns < LONG_STOP_NS || !selected(slot))
		return 0;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		count(this_cpu(), LOST_RECORDS);
		return 0;
	}
	fill_head(&r->head, RECORD_STOP, now, task);
	r->since_ns = slot->since_ns;
	r->how = slot->wait_key_kind;
	r->tracer = (u32)slot->wait_key;
	bpf_ringbuf_submit(r, ring_flags());
	return 0;
}
