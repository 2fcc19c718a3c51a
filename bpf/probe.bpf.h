/* SPDX-License-Identifier: BSD-2-Clause */
/* What every probe's kernel side shares: maps, the thread's account, the filter, records, own cost. */
#pragma once
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "wire.h"
#include "compat.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct config config SEC(".rodata.config") = {};

/* The probe host makes these once and puts them into every object. Sizes are set there. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct task_slot);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpu_slot);
} cpus SEC(".maps");

#define barrier() asm volatile("" ::: "memory")

static __always_inline struct cpu_slot *this_cpu(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&cpus, &cpu);
}

static __always_inline void count(struct cpu_slot *cpu, enum counter which)
{
	if (cpu)
		cpu->counter[which]++;
}

/* 24 bits. */
static __always_inline u32 random_of(struct cpu_slot *cpu)
{
	cpu->random = cpu->random * 6364136223846793005ull + 1442695040888963407ull;
	return cpu->random >> 40;
}

/* Own cost: every COST_PERIOD-th run is timed. Returns the start, or 0 when this run is not. */
static __always_inline u64 cost_begin(struct cpu_slot *cpu, enum cost_of which, u64 now)
{
	return cpu && !(cpu->cost[which].runs++ % COST_PERIOD) ? now : 0;
}

/* The same where most runs do not look at the clock. All runs count, also those that find nothing to do. */
static __always_inline u64 cost_of_run(struct cpu_slot *cpu, enum cost_of which)
{
	return cost_begin(cpu, which, 1) ? bpf_ktime_get_ns() : 0;
}

static __always_inline void cost_end(struct cpu_slot *cpu, enum cost_of which, u64 start)
{
	if (!cpu || !start)
		return;
	cpu->cost[which].timed_runs++;
	cpu->cost[which].timed_ns += bpf_ktime_get_ns() - start;
}

/* Records wait in the ring for the reader's timer; it is woken early only when the ring fills. */
static __always_inline u64 ring_flags(void)
{
	return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) > config.ring_wakeup_bytes ?
		       BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline void fill_head(struct record *head, enum record_kind kind, u64 now,
				      struct task_struct *task)
{
	head->time_ns = now;
	head->kind = kind;
	head->tid = BPF_CORE_READ(task, pid);
	head->tgid = BPF_CORE_READ(task, tgid);
	head->cpu = bpf_get_smp_processor_id();
}

/* The thread's slot if it has one. */
static __always_inline struct task_slot *task_find(u32 tid)
{
#pragma unroll
	for (u32 i = 0; i < TASK_PROBES; i++) {
		u32 index = (tid + i * TASK_STRIDE) & config.task_mask;
		struct task_slot *slot = bpf_map_lookup_elem(&tasks, &index);

		if (slot && slot->tid == tid)
			return slot;
	}
	return NULL;
}

static __always_inline bool selected(const struct task_slot *slot)
{
	if (slot && slot->flags & TASK_OWN && !config.include_own)
		return false;
	return !config.filter || (slot && slot->flags & TASK_SELECTED);
}

/* NULL: it has none of that number. */
static __always_inline struct file *file_of(struct task_struct *task, u32 fd)
{
	struct file *file = NULL;
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);

	if (!table || fd >= BPF_CORE_READ(table, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd))
		return NULL;
	return file;
}
