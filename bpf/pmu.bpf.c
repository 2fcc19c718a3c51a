// SPDX-License-Identifier: BSD-2-Clause
/* What made events of the hardware happen: stacks, each for as many events as have passed since the last one. */
#include "sample.bpf.h"
#include "pmu.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* as many as there are CPUs, set by the host */
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct count_record)); /* less what the host cuts off */
} per_cpu_capture SEC(".maps");

struct bpf_perf_event_value {
	u64 counter, enabled, running;
};

/* What each event's counter was at the last sample. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MOST_PMU_EVENTS);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

/* Events since the last sample here, whoever ran: the period that the kernel tells lags behind when their rate changes. */
static __always_inline u64 growth(struct bpf_perf_event_data *ctx, u32 event)
{
	u64 *last = bpf_map_lookup_elem(&counters, &event), grown;
	struct bpf_perf_event_value value = {};

	if (!last || bpf_perf_prog_read_value(ctx, &value, sizeof(value)))
		return 0;
	grown = value.counter > *last ? value.counter - *last : 0;
	*last = value.counter;
	return grown;
}

static __noinline int take(struct bpf_perf_event_data *ctx, u32 event)
{
	struct task_struct *task = current_task();
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u32 tid = (u32)bpf_get_current_pid_tgid(), index = bpf_get_smp_processor_id();
	struct task_slot *slot = task_find(tid);
	u64 grown = growth(ctx, event);
	struct count_record *r;

	if (!tid || !selected(slot))
		return 0;
	u64 start = cost_begin(cpu, COST_PMU, now);
	r = bpf_map_lookup_elem(&per_cpu_capture, &index);
	if (!r)
		return 0;
	r->event = event;
	r->count = grown;
	take_sample(ctx, &r->stack, task, slot, cpu);
	fill_head(&r->head, RECORD_COUNT, now, task);
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	u64 size = __builtin_offsetof(struct count_record, stack) + stack_capture_size(&r->stack);
	if (size > capture_room(sizeof(*r)))
		return 0;
	if (bpf_ringbuf_output(&records, r, size, ring_flags()))
		count(cpu, LOST_RECORDS);
	cost_end(cpu, COST_PMU, start);
	return 0;
}

/* One program an event: before 5.15 a program is not told which event it is attached to. */
#define COUNT(event)                                  \
	SEC("perf_event")                             \
	int count_##event(struct bpf_perf_event_data *ctx) \
	{                                             \
		return take(ctx, event);              \
	}

COUNT(0)
COUNT(1)
COUNT(2)
COUNT(3)
COUNT(4)
COUNT(5)
