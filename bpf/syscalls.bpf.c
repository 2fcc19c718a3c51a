// SPDX-License-Identifier: BSD-2-Clause
/* System calls by process and call: how many, how long they took, which errors. Only when asked for: while these are
 * attached, every system call of the machine pays. */
#include "probe.bpf.h"
#include "syscalls.h"

struct begun {
	u64 since_ns; /* 0: in none */
	u32 number;
	u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct begun);
} syscalls_begun SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MOST_SYSCALL_SUMS);
	__type(key, struct syscall_key);
	__type(value, struct syscall_sum);
} syscall_sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MOST_SYSCALL_ERRORS);
	__type(key, struct syscall_key);
	__type(value, struct syscall_sum);
} syscall_errors SEC(".maps");

static __always_inline void add(void *map, const struct syscall_key *key, u64 ns, struct cpu_slot *cpu)
{
	struct syscall_sum *sum = bpf_map_lookup_elem(map, key), first = {.count = 1, .ns = ns};

	if (!sum) {
		if (!bpf_map_update_elem(map, key, &first, BPF_NOEXIST))
			return;
		sum = bpf_map_lookup_elem(map, key); /* another CPU was first */
	}
	if (!sum) {
		count(cpu, LOST_SYSCALLS);
		return;
	}
	sum->count++;
	sum->ns += ns;
}

static __always_inline void begins(struct task_struct *task, u64 number)
{
	struct begun *begun;

	if (!selected(task_find(task->pid)))
		return;
	begun = bpf_task_storage_get(&syscalls_begun, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!begun)
		return;
	begun->number = task_is_32_bit(task) || number > SYSCALL_FOREIGN ? SYSCALL_FOREIGN : (u32)number;
	begun->since_ns = bpf_ktime_get_ns();
}

SEC("tp_btf/sys_enter")
int sys_enter(u64 *ctx)
{
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_SYSCALL);

	begins(bpf_get_current_task_btf(), ctx[1]);
	cost_end(cpu, COST_SYSCALL, start);
	return 0;
}

SEC("tp_btf/sys_exit")
int sys_exit(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct begun *begun = bpf_task_storage_get(&syscalls_begun, task, NULL, 0);
	s64 result = (s64)ctx[1];

	if (!begun || !begun->since_ns)
		return 0;
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_SYSCALL, now), ns = now - begun->since_ns;
	struct syscall_key key = {.tgid = task->tgid, .number = (u16)begun->number};

	begun->since_ns = 0;
	add(&syscall_sums, &key, ns, cpu);
	/* From 512 on they are the kernel's own: the call begins again. */
	if (result < 0 && result > -512) {
		key.error = (u16)-result;
		add(&syscall_errors, &key, ns, cpu);
	}
	cost_end(cpu, COST_SYSCALL, start);
	return 0;
}
