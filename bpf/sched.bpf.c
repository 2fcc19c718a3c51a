// SPDX-License-Identifier: BSD-2-Clause
/* Exact nanoseconds of every thread by state, and each CPU's run-queue latency. Nothing is emitted
 * at a switch: totals stay in the thread's slot, which user space reads once a slice. */
#include "probe.bpf.h"

/* Bits of task_struct's __state and flags, as in include/linux/sched.h. */
enum {
	BIT_INTERRUPTIBLE = 0x1,
	BIT_UNINTERRUPTIBLE = 0x2,
	BIT_STOPPED = 0x4,
	BIT_TRACED = 0x8,
	BIT_DEAD = 0x80,
	BIT_NOLOAD = 0x400,
	FLAG_KTHREAD = 0x200000,
};

enum { CALL_NANOSLEEP = 35, CALL_CLOCK_NANOSLEEP = 230 }; /* on x86-64 */

static __always_inline u8 state_of(u32 bits)
{
	if (!bits)
		return STATE_RUNNABLE;
	if (bits & BIT_DEAD)
		return STATE_DEAD;
	if (bits & (BIT_STOPPED | BIT_TRACED))
		return STATE_STOPPED;
	if (bits & BIT_UNINTERRUPTIBLE && !(bits & BIT_NOLOAD))
		return STATE_DISK;
	return STATE_SLEEPING;
}

static __always_inline u32 latency_bucket(u64 ns)
{
	u32 exponent = 0;
	u64 rest = ns;

	if (ns < 8)
		return ns;
	if (rest >> 32) { exponent += 32; rest >>= 32; }
	if (rest >> 16) { exponent += 16; rest >>= 16; }
	if (rest >> 8) { exponent += 8; rest >>= 8; }
	if (rest >> 4) { exponent += 4; rest >>= 4; }
	if (rest >> 2) { exponent += 2; rest >>= 2; }
	if (rest >> 1) exponent += 1;
	u32 bucket = 8 * (exponent - 2) + ((ns >> (exponent - 3)) & 7);
	return bucket;
}

/* A free place for the thread. Two threads can meet in one place only when their tids are equal in the
 * low bits and both are claimed in the same nanoseconds: no lock is worth that. */
static __always_inline struct task_slot *claim(struct task_struct *task, u64 now, u8 state, u8 flags,
					       u32 *ret_index)
{
	u32 tid = task->pid;

#pragma unroll
	for (u32 i = 0; i < TASK_PROBES; i++) {
		u32 index = (tid + i * TASK_STRIDE) & config.task_mask;
		struct task_slot *slot = bpf_map_lookup_elem(&tasks, &index);

		if (!slot || slot->tid)
			continue;
		slot->tid = tid;
		slot->tgid = task->tgid;
		slot->start_ns = task->start_time;
		slot->since_ns = now;
		slot->woken_ns = 0;
		__builtin_memset(slot->ns, 0, sizeof(slot->ns));
		slot->switches = slot->preempted = 0;
		__builtin_memset(slot->wakers, 0, sizeof(slot->wakers));
		slot->state = state;
		slot->flags = flags | (task->flags & FLAG_KTHREAD ? TASK_KERNEL : 0);
		*ret_index = index;
		return slot;
	}
	count(this_cpu(), LOST_SLOTS);
	return NULL;
}

static __always_inline void fill_task(struct task_record *r, struct task_struct *task, u64 now,
				      const struct task_slot *slot, u32 index)
{
	fill_head(&r->head, RECORD_TASK, now, task);
	r->slot = index;
	r->parent = task->group_leader->real_parent->tgid;
	r->start_ns = slot->start_ns;
	r->flags = slot->flags;
	r->forked = 0;
	r->creator = 0;
	r->state = slot->state;
	bpf_probe_read_kernel_str(r->comm, sizeof(r->comm), task->comm);
}

/* A thread that runs or is forked and has no account yet. */
static __noinline struct task_slot *introduce(struct task_struct *task, u64 now, u8 state, u8 flags, u32 creator)
{
	u32 index = 0;
	struct task_slot *slot = claim(task, now, state, flags, &index);

	if (!slot)
		return NULL;
	struct task_record *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		/* Without the record user space would never know the slot: give it back, to try again. */
		slot->tid = 0;
		count(this_cpu(), LOST_RECORDS);
		return NULL;
	}
	fill_task(r, task, now, slot, index);
	r->forked = creator != 0;
	r->creator = creator;
	bpf_ringbuf_submit(r, ring_flags());
	return slot;
}

/* Adds the state that ends now; what follows a wake-up belongs to `after`. Returns when that began. */
static __always_inline u64 settle(struct task_slot *slot, u64 now, u32 after)
{
	u64 since = slot->since_ns, woken = slot->woken_ns;
	u32 state = slot->state % STATE_COUNT;

	if (state == STATE_RUNNABLE)
		woken = since;
	else if (woken < since || woken > now)
		woken = now;
	slot->ns[state] += woken - since;
	slot->ns[after] += now - woken;
	return woken;
}

static __always_inline void set_state(struct task_slot *slot, u64 now, u8 state)
{
	slot->since_ns = now;
	slot->woken_ns = 0;
	slot->state = state;
}

/* Not every switch is seen: some machines hide their init, and a program is skipped where it would nest.
 * The thread that should be running here has left at an unknown moment: that time is nobody's. */
static __noinline int left_unseen(u32 tid, u64 now)
{
	struct task_slot *slot = task_find(tid);

	count(this_cpu(), LOST_SWITCHES);
	if (!slot || slot->state != STATE_RUNNING)
		return 0;
	slot->sequence++;
	barrier();
	set_state(slot, now, STATE_SLEEPING);
	barrier();
	slot->sequence++;
	return 0;
}

static __always_inline void leave_cpu(struct task_struct *prev, u32 bits, u64 now)
{
	struct task_slot *slot = task_find(prev->pid);
	u8 state = state_of(bits);

	if (!slot) {
		if (state != STATE_DEAD)
			introduce(prev, now, state, 0, 0);
		return;
	}
	slot->sequence++;
	barrier();
	if (slot->state == STATE_RUNNING)
		slot->ns[STATE_RUNNING] += now - slot->since_ns;
	else
		settle(slot, now, STATE_RUNNING); /* it took the CPU unseen */
	set_state(slot, now, state);
	if (state == STATE_RUNNABLE)
		slot->preempted++;
	else
		slot->switches++;
	barrier();
	slot->sequence++;
}

static __always_inline void enter_cpu(struct task_struct *next, u64 now, struct cpu_slot *cpu)
{
	struct task_slot *slot = task_find(next->pid);

	if (!slot) {
		introduce(next, now, STATE_RUNNING, 0, 0);
		return;
	}
	slot->sequence++;
	barrier();
	u32 bucket = latency_bucket(now - settle(slot, now, STATE_RUNNABLE));
	set_state(slot, now, STATE_RUNNING);
	barrier();
	slot->sequence++;
	barrier_var(bucket); /* the compiler must not prove the bound away: the verifier wants to see it */
	if (bucket >= LATENCY_BUCKETS)
		bucket = LATENCY_BUCKETS - 1;
	if (cpu)
		cpu->latency[bucket]++;
}

SEC("tp_btf/sched_switch")
int sched_switch(u64 *ctx)
{
	struct task_struct *prev = (struct task_struct *)ctx[1];
	struct task_struct *next = (struct task_struct *)ctx[2];
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_SWITCH, now);

	/* fa2c3254d7cf ("sched/tracing: Don't re-read p->state when emitting sched_switch event", 5.18)
	 * added the argument: before it a wake-up on another CPU can hide the state. */
	if (cpu) {
		if (cpu->running && cpu->running != prev->pid)
			left_unseen(cpu->running, now);
		cpu->running = next->pid;
	}
	if (prev->pid)
		leave_cpu(prev, config.switch_has_state ? (u32)ctx[3] : task_state_bits(prev), now);
	if (next->pid)
		enter_cpu(next, now, cpu);
	cost_end(cpu, COST_SWITCH, start);
	return 0;
}

static __always_inline long system_call_of(struct task_struct *task)
{
	return (long)((struct pt_regs *)bpf_task_pt_regs(task))->orig_ax;
}

/* The thread that runs here wakes one by what it does. The wake-ups of an interrupt are not its doing: it is in
 * no system call then (a negative number), or, if it is in one all the same, the other one is in a sleep that only time ends. */
static __always_inline bool wakes_by_itself(struct task_struct *woken)
{
	if (!config.has_task_registers)
		return false;
	long sleeps_in = system_call_of(woken);

	return sleeps_in != CALL_NANOSLEEP && sleeps_in != CALL_CLOCK_NANOSLEEP &&
	       system_call_of((struct task_struct *)bpf_get_current_task_btf()) >= 0;
}

static __always_inline void remember_waker(struct task_slot *slot, u64 slept_ns)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct waker *lightest = &slot->wakers[0], *mine = NULL;

	if (!tid)
		return;
#pragma unroll
	for (int i = 0; i < TASK_WAKERS; i++) {
		struct waker *waker = &slot->wakers[i];

		if (waker->tid == tid)
			mine = waker;
		if (waker->ns < lightest->ns)
			lightest = waker;
	}
	if (!mine) {
		mine = lightest;
		mine->tid = tid;
		mine->count = 0;
		mine->ns = 0;
	}
	mine->count++;
	mine->ns += slept_ns;
}

SEC("tp_btf/sched_waking")
int sched_waking(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct task_slot *slot = task_find(task->pid);
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_WAKING, now);

	if (slot && slot->state >= STATE_SLEEPING && !slot->woken_ns) {
		slot->woken_ns = now;
		if (wakes_by_itself(task))
			remember_waker(slot, now - slot->since_ns);
	}
	cost_end(cpu, COST_WAKING, start);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int sched_process_fork(u64 *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx[0];
	struct task_struct *child = (struct task_struct *)ctx[1];
	struct task_slot *slot = task_find(parent->pid), *stale = task_find(child->pid);
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_LIFE, now);

	/* The tid came round again before user space had cleared the dead thread's slot. */
	if (stale) {
		stale->tid = 0;
		count(cpu, LOST_SLOTS);
	}
	introduce(child, now, STATE_RUNNABLE, slot ? slot->flags & (TASK_SELECTED | TASK_OWN) : 0, parent->tgid);
	cost_end(cpu, COST_LIFE, start);
	return 0;
}

/* The walk at the start: every thread gets its account, also those that will never switch. */
SEC("iter/task")
int walk_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_record r = {};
	u32 index = 0;

	if (!task || !task->pid || task_find(task->pid))
		return 0;
	u8 state = task->on_cpu ? STATE_RUNNING : state_of(task_state_bits(task));
	if (state == STATE_DEAD)
		return 0;
	u64 now = bpf_ktime_get_ns();
	struct task_slot *slot = claim(task, now, state, 0, &index);
	if (!slot)
		return 0;
	fill_task(&r, task, now, slot, index);
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}
