// SPDX-License-Identifier: BSD-2-Clause
/* What runs: kernel and user stack of each CPU's current thread, at the sampling rate. */
#include "sample.bpf.h"

/* One a CPU, as an array: per-CPU memory does not come in pieces of this size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* as many as there are CPUs, set by the host */
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct sample_record)); /* less what the host cuts off */
} per_cpu_capture SEC(".maps");

/* The clock ticks whether something runs here or not. A CPU that misses ticks had interrupts off, or did not run at all. */
static __always_inline void tick(struct cpu_slot *cpu, u64 now)
{
	if (!cpu)
		return;
	if (cpu->tick_ns && cpu->tick_gap_ns && now > cpu->tick_ns + cpu->tick_gap_ns) {
		cpu->gap_since_ns = cpu->tick_ns;
		cpu->gap_until_ns = now;
	}
	cpu->tick_ns = now;
}

SEC("perf_event")
int on_cpu(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = current_task();
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u32 tid = (u32)bpf_get_current_pid_tgid(), index = bpf_get_smp_processor_id();
	struct task_slot *slot = task_find(tid);
	struct sample_record *r;

	tick(cpu, now);
	if (!tid || !selected(slot))
		return 0;
	u64 start = cost_begin(cpu, COST_SAMPLE, now);
	r = bpf_map_lookup_elem(&per_cpu_capture, &index);
	if (!r)
		return 0;
	struct stack_capture *s = &r->stack;
	take_sample(ctx, s, task, slot, cpu);
	fill_head(&r->head, RECORD_SAMPLE, now, task);
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	u64 size = __builtin_offsetof(struct sample_record, stack) + stack_capture_size(s);
	if (size > capture_room(sizeof(*r)))
		return 0;
	if (bpf_ringbuf_output(&records, r, size, ring_flags()))
		count(cpu, LOST_RECORDS);
	cost_end(cpu, COST_SAMPLE, start);
	return 0;
}
