// SPDX-License-Identifier: BSD-2-Clause
/* How long soft interrupts wait from being raised until they run. Only when asked for: they are raised very often. */
#include "probe.bpf.h"
#include "histogram.bpf.h"
#include "softirqs.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct softirqs_cpu);
} per_cpu_scratch SEC(".maps");

static __always_inline struct softirqs_cpu *this_softirqs(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&per_cpu_scratch, &cpu);
}

SEC("tp_btf/softirq_raise")
int softirq_raise(u64 *ctx)
{
	struct softirqs_cpu *soft = this_softirqs();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_SOFTIRQ);
	u32 vector = (u32)ctx[0];

	barrier_var(vector);
	/* Raised again before it ran, it waits since the first time. */
	if (soft && vector < SOFTIRQS && !soft->raised_ns[vector])
		soft->raised_ns[vector] = bpf_ktime_get_ns();
	cost_end(cpu, COST_SOFTIRQ, start);
	return 0;
}

SEC("tp_btf/softirq_entry")
int softirq_begins(u64 *ctx)
{
	struct softirqs_cpu *soft = this_softirqs();
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_SOFTIRQ, now);
	u32 vector = (u32)ctx[0];

	barrier_var(vector);
	if (soft && vector < SOFTIRQS && soft->raised_ns[vector]) {
		soft->latency[vector][latency_index(now - soft->raised_ns[vector])]++;
		soft->raised_ns[vector] = 0;
	}
	cost_end(cpu, COST_SOFTIRQ, start);
	return 0;
}
