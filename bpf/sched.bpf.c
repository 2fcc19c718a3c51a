// SPDX-License-Identifier: BSD-2-Clause
/* Exact nanoseconds of every thread by state, blocked ones by cause, and each CPU's run-queue latency. Nothing is emitted
 * at a switch: totals stay in the thread's slot, which user space reads once a slice. */
#include "cause.bpf.h"
#include "histogram.bpf.h"
#include "offcpu.bpf.h"
#include "pause.bpf.h"

enum { INHERITED = TASK_SELECTED | TASK_OWN | TASK_WALK };

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
		slot->wait_key_kind = slot->throttled = 0;
		slot->wait_key = slot->kernel_lock = slot->wait_interval_ns = 0;
		slot->wait_weight = 0;
		slot->progress_ns = slot->file_until_ns = 0;
		slot->polls = slot->site_place = slot->loop_fd = 0;
		slot->faults = 0;
		slot->fault_drawn_ns = 0;
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

static __always_inline u64 woken_at(const struct task_slot *slot, u64 now)
{
	u64 woken = slot->woken_ns;

	return woken < slot->since_ns || woken > now ? now : woken;
}

/* Adds the state that ends now; what follows a wake-up belongs to `after`. Returns when that began. */
static __always_inline u64 settle(struct task_slot *slot, u64 now, u32 after)
{
	u64 since = slot->since_ns, woken = woken_at(slot, now);
	u32 state = slot->state;

	barrier_var(state); /* the verifier follows the bound of one variable, not of a byte's copies */
	if (state >= STATE_ROOM)
		return now;
	if (state < STATE_SLEEPING) {
		slot->ns[state] += now - since;
		return state == STATE_RUNNING ? now : since;
	}
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

static __noinline int change_state(struct task_slot *slot, u64 now, u8 state)
{
	if (!slot)
		return 0;
	slot->sequence++;
	barrier();
	if (slot->state != STATE_DEAD)
		settle(slot, now, STATE_RUNNING);
	set_state(slot, now, state);
	barrier();
	slot->sequence++;
	return 0;
}

/* Not every switch is seen: some machines hide their init, and a program is skipped where it would nest.
 * The thread that should be running here has left at an unknown moment: that time is nobody's. */
static __noinline int left_unseen(u32 tid, u64 now, struct cpu_slot *cpu)
{
	struct task_slot *slot = task_find(tid);

	count(cpu, LOST_SWITCHES);
	if (!cpu)
		return 0;
	if (!slot || slot->state != STATE_RUNNING) {
		cpu->progress_ns = 0;
		return 0;
	}
	slot->sequence++;
	barrier();
	set_state(slot, now, STATE_OTHER);
	keep_loop(slot, cpu);
	slot->for_many = POLL_UNSEEN;
	barrier();
	slot->sequence++;
	return 0;
}

/* The thread took the CPU unseen. The scheduler keeps what it has run since then: what it had not by then, it waited. */
static __noinline int arrived_unseen(struct task_struct *task, struct task_slot *slot, u64 now, struct cpu_slot *cpu)
{
	if (!task || !slot)
		return 0;
	u64 ran = task->se.sum_exec_runtime - task->se.prev_sum_exec_runtime, woken = woken_at(slot, now);
	u64 since = slot->state < STATE_SLEEPING ? slot->since_ns : woken;
	u64 arrived = ran < now - since ? now - ran : since;

	enter_loop(slot, cpu, arrived, arrived - settle(slot, arrived, STATE_RUNNABLE));
	set_state(slot, arrived, STATE_RUNNING);
	return 0;
}

static __always_inline void leave_cpu(void *ctx, struct task_struct *prev, u32 bits, u64 now, struct cpu_slot *cpu)
{
	struct task_slot *slot = task_find(prev->pid);

	if (!slot) {
		slot = bits & BIT_DEAD ? NULL : introduce(prev, now, STATE_RUNNING, 0, 0);
		if (!slot)
			return;
	}
	slot->sequence++;
	barrier();
	if (slot->state != STATE_RUNNING)
		arrived_unseen(prev, slot, now, cpu);
	settle(slot, now, STATE_RUNNING);
	u8 state = left_state(prev, slot, bits, now);
	set_state(slot, now, state);
	if (state == STATE_PREEMPTED)
		slot->preempted++;
	else
		slot->switches++;
	leave_loop(prev, slot, cpu, now);
	barrier();
	slot->sequence++;
	if (config.wait_gap_ns && state >= STATE_SLEEPING)
		begin_wait(ctx, prev, slot, cpu);
}

static __always_inline void enter_cpu(struct task_struct *next, u32 prev_tgid, u64 now, struct cpu_slot *cpu)
{
	struct task_slot *slot = task_find(next->pid);

	if (!slot) {
		introduce(next, now, STATE_RUNNING, 0, 0);
		return;
	}
	if (slot->wait_interval_ns)
		end_wait(next, slot, cpu, woken_at(slot, now));
	if (slot->state == STATE_STOPPED)
		note_stop(next, slot, now);
	slot->sequence++;
	barrier();
	slot->runnable_ns = settle(slot, now, STATE_RUNNABLE);
	u32 bucket = latency_bucket(now - slot->runnable_ns);
	/* In line behind a thread of its own process (a collector's, say) it is held up by that process. */
	enter_loop(slot, cpu, now, prev_tgid == slot->tgid ? 0 : now - slot->runnable_ns);
	set_state(slot, now, STATE_RUNNING);
	barrier();
	slot->sequence++;
	barrier_var(bucket); /* the compiler must not prove the bound away: the verifier wants to see it */
	if (bucket >= LATENCY_BUCKETS)
		bucket = LATENCY_BUCKETS - 1;
	if (cpu)
		cpu->latency[bucket]++;
	if (config.wait_gap_ns && now - slot->runnable_ns >= LEAST_QUEUE_NS)
		note_queue(next, slot, cpu, slot->runnable_ns, now);
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
			left_unseen(cpu->running, now, cpu);
		cpu->running = next->pid;
	}
	if (prev->pid)
		leave_cpu(ctx, prev, config.switch_has_state ? (u32)ctx[3] : task_state_bits(prev), now, cpu);
	if (next->pid)
		enter_cpu(next, prev->tgid, now, cpu);
	cost_end(cpu, COST_SWITCH, start);
	return 0;
}

/* The thread that runs here wakes one by what it does. The wake-ups of an interrupt are not its doing: it is in
 * no system call then, or, if it is in one all the same, the other one is in a sleep that only time ends. */
static __always_inline bool wakes_by_itself(const struct task_slot *woken)
{
	return woken->state != STATE_SLEEPING &&
	       task_entry(current_task(), config.has_task_registers).syscall >= 0;
}

static __always_inline void remember_waker(struct task_slot *slot, u32 tid, u64 slept_ns)
{
	struct waker *lightest = &slot->wakers[0], *mine = NULL;

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
		u64 who = bpf_get_current_pid_tgid();
		/* It may just be going to sleep, on another CPU. */
		u64 slept = now > slot->since_ns ? now - slot->since_ns : 0;

		slot->woken_ns = now;
		if ((u32)who && wakes_by_itself(slot)) { /* of an idle CPU there is nothing to look at */
			remember_waker(slot, (u32)who, slept);
			note_release(task, slot, cpu, who, now);
		}
		draw_again(slot, cpu, slept);
		if (wants_waker(slot, now))
			note_waker(ctx, task, slot, now);
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
	introduce(child, now, STATE_RUNNABLE, slot ? slot->flags & INHERITED : 0, parent->tgid);
	cost_end(cpu, COST_LIFE, start);
	return 0;
}

/* The thread was not the first of its process: that one has ended, as all others, and it goes on under the first one's number. */
SEC("tp_btf/sched_process_exec")
int sched_process_exec(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	u32 old_tid = (u32)ctx[1];

	if (old_tid == task->pid)
		return 0;
	struct task_slot *old = task_find(old_tid), *slot = task_find(task->pid);
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_LIFE, now);

	if (old)
		change_state(old, now, STATE_DEAD);
	if (slot)
		change_state(slot, now, STATE_RUNNING);
	else
		introduce(task, now, STATE_RUNNING, old ? old->flags & INHERITED : 0, 0);
	if (cpu)
		cpu->running = task->pid;
	cost_end(cpu, COST_LIFE, start);
	return 0;
}

/* The thread is about to sleep because too many pages are dirty; what follows at once is that sleep. */
SEC("tp_btf/balance_dirty_pages")
int balance_dirty_pages(u64 *ctx)
{
	struct task_slot *slot = task_find((u32)bpf_get_current_pid_tgid());
	struct device *device = BPF_CORE_READ((struct bdi_writeback *)ctx[0], bdi, owner);

	if (slot) {
		slot->throttled = 1;
		slot->wait_key = device ? BPF_CORE_READ(device, devt) : 0;
	}
	return 0;
}

/* 16edd9b511a1 ("locking: Add lock contention tracepoints", 5.19). One flag matters: not a lock that one
 * sleeps for. */
enum { LOCK_SPIN = 1 };

SEC("?tp_btf/contention_begin")
int contention_begin(u64 *ctx)
{
	if ((u32)ctx[1] & LOCK_SPIN)
		return 0;
	struct task_slot *slot = task_find((u32)bpf_get_current_pid_tgid());
	if (slot)
		slot->kernel_lock = ctx[0];
	return 0;
}

SEC("?tp_btf/contention_end")
int contention_end(u64 *ctx)
{
	struct task_slot *slot = task_find((u32)bpf_get_current_pid_tgid());

	if (slot && slot->kernel_lock == ctx[0])
		slot->kernel_lock = 0;
	return 0;
}

/* Switches were not watched for a while: what does the thread do now? */
static __always_inline void catch_up(struct task_struct *task, struct task_slot *slot, u32 bits, u64 now)
{
	u8 before = slot->state, state;

	if (before >= STATE_DEAD)
		return;
	slot->sequence++;
	barrier();
	state = task->on_cpu ? STATE_RUNNING : bits ? left_state(task, slot, bits, now) : STATE_RUNNABLE;
	if (state != before && !(state == STATE_RUNNABLE && before == STATE_PREEMPTED)) {
		settle(slot, now, STATE_RUNNABLE);
		set_state(slot, now, state);
		slot->wait_interval_ns = 0;
		slot->wait_weight = 0;
	}
	barrier();
	slot->sequence++;
}

/* The walk at the start: every thread gets its account, also those that will never switch. And after a rest. */
SEC("iter/task")
int walk_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_record r = {};
	u32 index = 0;

	if (!task || !task->pid)
		return 0;
	u32 bits = task_state_bits(task);
	if (bits & BIT_DEAD)
		return 0;
	u64 now = bpf_ktime_get_ns();
	struct task_slot *slot = task_find(task->pid);
	if (slot) {
		catch_up(task, slot, bits, now);
		return 0;
	}
	slot = claim(task, now, STATE_RUNNING, 0, &index);
	if (!slot)
		return 0;
	if (!task->on_cpu)
		slot->state = bits ? left_state(task, slot, bits, now) : STATE_RUNNABLE;
	fill_task(&r, task, now, slot, index);
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}

/* Threads whose waits go on and have no stack yet: they began before switches were watched, or were not drawn. */
SEC("iter/task")
int walk_waits(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	u32 zero = 0;
	struct wait_record *r = bpf_map_lookup_elem(&visited, &zero);

	if (!task || !task->pid || !r)
		return 0;
	struct task_slot *slot = task_find(task->pid);
	if (!slot || !(slot->flags & TASK_VISIT))
		return 0;
	slot->flags &= ~TASK_VISIT;
	u64 size = visit_wait(task, slot, r);
	if (size)
		bpf_seq_write(ctx->meta->seq, r, size);
	return 0;
}

/* A freezer of cgroup v1 has been told to freeze or thaw: a thread that sleeps lies still from now on, or sleeps on, and no
 * switch says so. What moves meanwhile tells by itself. */
SEC("iter/task")
int walk_frozen(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task || !task->pid)
		return 0;
	u64 now = bpf_ktime_get_ns();
	u32 bits = task_state_bits(task);
	struct task_slot *slot = task_find(task->pid);

	if (!bits || task->on_cpu || !slot || slot->state < STATE_SLEEPING || slot->state >= STATE_DEAD || slot->woken_ns)
		return 0;
	bool lies_still = slot->state == STATE_STOPPED && slot->wait_key_kind == KEY_FREEZER;
	if (lies_still == (bits & BIT_FROZEN || task_is_frozen(task)))
		return 0;
	if (lies_still)
		note_stop(task, slot, now);
	catch_up(task, slot, bits, now);
	return 0;
}
