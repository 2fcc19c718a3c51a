// SPDX-License-Identifier: BSD-2-Clause
/* Collections of garbage, from where a runtime has marked that one begins to where it ends. Attached to the files of runtimes as
 * they are met, so that only processes which run them pay. */
#include "probe.bpf.h"
#include "collector.h"

/* By thread and process. What has no end is pushed out at last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MOST_COLLECTIONS);
	__type(key, u64);
	__type(value, u64);
} collections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MOST_COLLECTIONS);
	__type(key, u32);
	__type(value, struct collected);
} collected SEC(".maps");

static __always_inline void add(u32 tgid, u64 ns, struct cpu_slot *cpu)
{
	struct collected *sum = bpf_map_lookup_elem(&collected, &tgid), first = {.count = 1, .ns = ns};

	if (!sum) {
		if (!bpf_map_update_elem(&collected, &tgid, &first, BPF_NOEXIST))
			return;
		sum = bpf_map_lookup_elem(&collected, &tgid); /* another thread was first */
	}
	if (!sum) {
		count(cpu, LOST_COLLECTIONS);
		return;
	}
	__sync_fetch_and_add(&sum->count, 1);
	__sync_fetch_and_add(&sum->ns, ns);
}

static __always_inline void tell(u64 since, u64 now, struct cpu_slot *cpu)
{
	struct collection_record *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);

	if (!r) {
		count(cpu, LOST_RECORDS);
		return;
	}
	fill_head(&r->head, RECORD_COLLECTION, now, (struct task_struct *)bpf_get_current_task());
	r->since_ns = since;
	bpf_ringbuf_submit(r, ring_flags());
}

/* A collection may turn out to be not enough, and hold another one: they are one pause. */
SEC("uprobe")
int collection_begins(void *ctx)
{
	u64 id = bpf_get_current_pid_tgid(), now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_COLLECTION, now);

	if (selected(task_find((u32)id)))
		bpf_map_update_elem(&collections, &id, &now, BPF_NOEXIST);
	cost_end(cpu, COST_COLLECTION, start);
	return 0;
}

SEC("uprobe")
int collection_ends(void *ctx)
{
	u64 id = bpf_get_current_pid_tgid(), now = bpf_ktime_get_ns();
	u64 *begun = bpf_map_lookup_elem(&collections, &id);
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_COLLECTION, now);

	if (begun) {
		u64 since = *begun;

		bpf_map_delete_elem(&collections, &id);
		add(id >> 32, now - since, cpu);
		if (now - since >= TOLD_COLLECTION_NS)
			tell(since, now, cpu);
	}
	cost_end(cpu, COST_COLLECTION, start);
	return 0;
}
