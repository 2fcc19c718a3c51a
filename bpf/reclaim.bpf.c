// SPDX-License-Identifier: BSD-2-Clause
/* Threads that have to make room themselves before they get memory, and those killed for want of it. */
#include "probe.bpf.h"
#include "reclaim.h"

enum { KERNEL_THREAD = 0x200000 };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct reclaim_key);
	__type(value, u64); /* since when */
} reclaim_since SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct reclaim_key);
	__type(value, struct reclaim_sum);
} reclaim_sums SEC(".maps");

static __always_inline struct reclaim_key key_of(enum reclaim_kind kind)
{
	u64 who = bpf_get_current_pid_tgid();

	return (struct reclaim_key){.tid = (u32)who, .tgid = who >> 32, .kind = kind};
}

static __always_inline int begin(enum reclaim_kind kind)
{
	struct reclaim_key key = key_of(kind);
	u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&reclaim_since, &key, &now, BPF_ANY);
	return 0;
}

static __always_inline int end(enum reclaim_kind kind)
{
	struct reclaim_key key = key_of(kind);
	u64 *since = bpf_map_lookup_elem(&reclaim_since, &key), now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_RECLAIM, now);

	if (!since)
		return 0;
	struct reclaim_sum *sum = bpf_map_lookup_elem(&reclaim_sums, &key), first = {.count = 1, .ns = now - *since};
	if (sum) {
		sum->count++;
		sum->ns += first.ns;
	} else if (bpf_map_update_elem(&reclaim_sums, &key, &first, BPF_ANY)) {
		count(cpu, LOST_RECORDS);
	}
	bpf_map_delete_elem(&reclaim_since, &key);
	cost_end(cpu, COST_RECLAIM, start);
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int direct_begin(u64 *ctx)
{
	return begin(RECLAIM_MACHINE);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int direct_end(u64 *ctx)
{
	return end(RECLAIM_MACHINE);
}

SEC("?tp_btf/mm_vmscan_memcg_reclaim_begin")
int cgroup_begin(u64 *ctx)
{
	return begin(RECLAIM_CGROUP);
}

SEC("?tp_btf/mm_vmscan_memcg_reclaim_end")
int cgroup_end(u64 *ctx)
{
	return end(RECLAIM_CGROUP);
}

/* kcompactd's own work holds nobody up. */
static __always_inline bool in_kernel_thread(void)
{
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), flags) & KERNEL_THREAD;
}

SEC("?tp_btf/mm_compaction_begin")
int compaction_begin(u64 *ctx)
{
	return in_kernel_thread() ? 0 : begin(RECLAIM_COMPACTION);
}

SEC("?tp_btf/mm_compaction_end")
int compaction_end(u64 *ctx)
{
	return in_kernel_thread() ? 0 : end(RECLAIM_COMPACTION);
}

SEC("tp_btf/mark_victim")
int mark_victim(u64 *ctx)
{
	struct victim_record *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	u64 who = bpf_get_current_pid_tgid();

	if (!r) {
		count(this_cpu(), LOST_RECORDS);
		return 0;
	}
	r->head = (struct record){.time_ns = bpf_ktime_get_ns(), .kind = RECORD_VICTIM, .tid = (u32)who, .tgid = who >> 32,
				  .cpu = bpf_get_smp_processor_id()};
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	/* 72ba14deb40a ("mm: update mark_victim tracepoints fields", 6.9): the task in place of its number. */
	r->victim = config.victim_is_task ? ((struct task_struct *)ctx[0])->tgid : (u32)ctx[0];
	bpf_ringbuf_submit(r, ring_flags());
	return 0;
}
