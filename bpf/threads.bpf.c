// SPDX-License-Identifier: BSD-2-Clause
/* All threads of some processes, as they are now: state, registers at the entry to the kernel,
 * kernel stack. */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "wire.h"
#include "compat.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
	FLAG_KTHREAD = 0x200000,
};

/* Processes that are asked for, by their number in the reader's namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u32);
} wanted SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct thread_record);
} scratch SEC(".maps");

/* The thread's number in the namespace at that level. */
static __always_inline u32 number(struct task_struct *task, u32 level)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	void *first = (void *)pid + bpf_core_field_offset(struct pid, numbers);
	struct upid *at = first + level * bpf_core_type_size(struct upid);

	return pid && level <= BPF_CORE_READ(pid, level) ? BPF_CORE_READ(at, nr) : 0;
}

static __always_inline void read_registers(struct task_struct *task, struct thread_record *r)
{
	const void *at;

	if (r->flags & THREAD_KERNEL_THREAD)
		return;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		at = (const void *)bpf_task_pt_regs(task);
	else
		at = entry_pt_regs(task);
	if (at && !bpf_probe_read_kernel(r->registers, sizeof(struct pt_regs), at))
		r->flags |= THREAD_HAS_REGISTERS;
}

/* exec_start counts by clock_task, which leaves stolen time out; the difference to the clock
 * changes slowly. */
static __always_inline void read_clock(struct task_struct *task, struct thread_record *r)
{
	struct task_struct *reader = (struct task_struct *)bpf_get_current_task();

	r->ran_ns = task->se.exec_start;
	r->clock_ns = 0;
	if (!bpf_core_field_exists(task->se.cfs_rq))
		return;
	r->clock_ns = BPF_CORE_READ(reader, se.cfs_rq, rq, clock);
	r->ran_ns += BPF_CORE_READ(task, se.cfs_rq, rq, clock) -
		     BPF_CORE_READ(task, se.cfs_rq, rq, clock_task);
}

static __always_inline u32 flags_of(struct task_struct *task)
{
	u32 flags = 0;

	if (task->on_cpu)
		flags |= THREAD_ON_CPU;
	if (task->flags & FLAG_KTHREAD)
		flags |= THREAD_KERNEL_THREAD;
	if (task_in_iowait(task))
		flags |= THREAD_IOWAIT;
	return flags;
}

SEC("iter/task")
int threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	u32 zero = 0, tgid, level;
	struct thread_record *r;
	long bytes = 0;

	if (!task)
		return 0;
	level = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), thread_pid, level);
	tgid = number(task->group_leader, level);
	r = bpf_map_lookup_elem(&scratch, &zero);
	if (!r || !bpf_map_lookup_elem(&wanted, &tgid))
		return 0;
	r->now_ns = bpf_ktime_get_ns();
	r->tid = number(task, level);
	r->tgid = tgid;
	r->own_tid = number(task, BPF_CORE_READ(task, thread_pid, level));
	r->start_ns = task->start_time;
	r->state = task_state_bits(task);
	r->flags = flags_of(task);
	r->cpu = task_cpu_number(task);
	r->switches = task->nvcsw + task->nivcsw;
	bpf_probe_read_kernel_str(r->comm, sizeof(r->comm), task->comm);
	read_clock(task, r);
	read_registers(task, r);
	/* A running thread's stack changes while it is walked. */
	if (!(r->flags & THREAD_ON_CPU))
		bytes = bpf_get_task_stack(task, r->kernel, sizeof(r->kernel), 0);
	if (bytes < 0 || bytes > (long)sizeof(r->kernel))
		bytes = 0;
	r->depth = (u64)bytes / sizeof(u64);
	bpf_seq_write(ctx->meta->seq, r, __builtin_offsetof(struct thread_record, kernel) + bytes);
	return 0;
}
