// SPDX-License-Identifier: BSD-2-Clause
/* Lives of processes: command lines at exec, exits, new names, moves between cgroups: what cannot
 * be read from /proc any more when a short-lived process is gone. */
#include "probe.bpf.h"

SEC("tp_btf/sched_process_exec")
int sched_process_exec(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_LIFE, now);
	struct exec_record *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);

	if (!r) {
		count(cpu, LOST_RECORDS);
		return 0;
	}
	fill_head(&r->head, RECORD_EXEC, now, task);
	bpf_probe_read_kernel_str(r->comm, sizeof(r->comm), task->comm);
	r->old_tid = (u32)ctx[1];
	u64 first = task->mm->arg_start, length = task->mm->arg_end - first;
	if (length > ARGUMENT_BYTES)
		length = ARGUMENT_BYTES;
	/* The arguments have just been written: their pages are there. */
	r->length = bpf_probe_read_user(r->arguments, length, (const void *)first) ? 0 : length;
	bpf_ringbuf_submit(r, ring_flags());
	cost_end(cpu, COST_LIFE, start);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int sched_process_exit(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_LIFE, now);
	struct exit_record *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);

	if (!r) {
		count(cpu, LOST_RECORDS);
		return 0;
	}
	fill_head(&r->head, RECORD_EXIT, now, task);
	r->status = task->exit_code;
	r->last = task->signal->live.counter == 0;
	bpf_ringbuf_submit(r, ring_flags());
	cost_end(cpu, COST_LIFE, start);
	return 0;
}

/* Those that stop, continue or end a process. Of others that may be sent thousands of times a second nothing is told. */
static __always_inline bool is_fateful(u32 signal)
{
	/* HUP INT QUIT ILL ABRT BUS FPE KILL SEGV TERM CONT STOP TSTP TTIN TTOU XCPU XFSZ SYS: the same on x86 and arm. */
	const u64 fateful = 1ull << 1 | 1ull << 2 | 1ull << 3 | 1ull << 4 | 1ull << 6 | 1ull << 7 | 1ull << 8 | 1ull << 9 |
			    1ull << 11 | 1ull << 15 | 1ull << 18 | 1ull << 19 | 1ull << 20 | 1ull << 21 | 1ull << 22 |
			    1ull << 24 | 1ull << 25 | 1ull << 31;

	return signal < 32 && fateful >> signal & 1;
}

SEC("tp_btf/signal_generate")
int signal_generate(u64 *ctx)
{
	struct task_struct *target = (struct task_struct *)ctx[2];
	u32 signal = (u32)ctx[0];

	if (!is_fateful(signal))
		return 0;
	struct signal_record *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		count(this_cpu(), LOST_RECORDS);
		return 0;
	}
	fill_head(&r->head, RECORD_SIGNAL, bpf_ktime_get_ns(), current_task());
	r->signal = signal;
	r->target = target->tgid;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	bpf_ringbuf_submit(r, ring_flags());
	return 0;
}

SEC("tp_btf/task_rename")
int task_rename(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct comm_record *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);

	if (!r) {
		count(this_cpu(), LOST_RECORDS);
		return 0;
	}
	fill_head(&r->head, RECORD_COMM, bpf_ktime_get_ns(), task);
	bpf_probe_read_kernel_str(r->comm, sizeof(r->comm), (const void *)ctx[1]);
	bpf_ringbuf_submit(r, ring_flags());
	return 0;
}

SEC("tp_btf/cgroup_attach_task")
int cgroup_attach_task(u64 *ctx)
{
	struct cgroup *to = (struct cgroup *)ctx[0];
	struct task_struct *task = (struct task_struct *)ctx[2];
	struct cgroup_record *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);

	if (!r) {
		count(this_cpu(), LOST_RECORDS);
		return 0;
	}
	fill_head(&r->head, RECORD_CGROUP, bpf_ktime_get_ns(), task);
	r->hierarchy = to->root->hierarchy_id;
	r->whole_process = ctx[3] & 1;
	bpf_probe_read_kernel_str(r->path, sizeof(r->path), (const void *)ctx[1]);
	bpf_ringbuf_submit(r, ring_flags());
	return 0;
}
