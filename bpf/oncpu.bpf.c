// SPDX-License-Identifier: BSD-2-Clause
/* What runs: kernel and user stack of each CPU's current thread, at the sampling rate. */
#include "probe.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sample_record);
} scratch SEC(".maps");

enum { STACK_BYTES = STACK_DEPTH * sizeof(u64) };

SEC("perf_event")
int on_cpu(struct bpf_perf_event_data *ctx)
{
	u64 id = bpf_get_current_pid_tgid(), now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u32 tid = (u32)id, zero = 0;
	struct sample_record *r;
	long kernel = 0, user;

	if (!tid || !selected(task_find(tid)))
		return 0;
	u64 start = cost_begin(cpu, COST_SAMPLE, now);
	r = bpf_map_lookup_elem(&scratch, &zero);
	if (!r)
		return 0;
	if (!config.exclude_kernel)
		kernel = bpf_get_stack(ctx, r->frames, STACK_BYTES, 0);
	if (kernel < 0)
		kernel = 0;
	if (kernel > STACK_BYTES)
		return 0;
	user = bpf_get_stack(ctx, (void *)r->frames + kernel, STACK_BYTES, BPF_F_USER_STACK);
	if (user < 0)
		user = 0;
	if (!(kernel + user))
		count(cpu, LOST_STACKS);
	r->head.time_ns = now;
	r->head.kind = RECORD_SAMPLE;
	r->head.tid = tid;
	r->head.tgid = id >> 32;
	r->head.cpu = bpf_get_smp_processor_id();
	r->kernel_depth = (u64)kernel / sizeof(u64);
	r->user_depth = (u64)user / sizeof(u64);
	r->flags = 0;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	u64 size = __builtin_offsetof(struct sample_record, frames) + kernel + user;
	if (size > sizeof(*r))
		return 0;
	if (bpf_ringbuf_output(&records, r, size, ring_flags()))
		count(cpu, LOST_RECORDS);
	cost_end(cpu, COST_SAMPLE, start);
	return 0;
}
