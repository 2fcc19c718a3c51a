// SPDX-License-Identifier: BSD-2-Clause
/* System calls that fail because a file system has no room. Every system call of the machine passes here: user space attaches this
 * only while a file system is nearly full, or filled and emptied by turns. */
#include "current.bpf.h"
#include "space.h"

enum { NO_SPACE = 28 };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the host makes it one a CPU */
	__type(key, u32);
	__type(value, struct space_record);
} per_cpu_capture SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MOST_SPACE_SUMS);
	__type(key, struct space_key);
	__type(value, struct space_sum);
} space_sums SEC(".maps");

const volatile u8 space_calls[SPACE_CALLS] SEC(".rodata.calls") = {}; /* enum space_what */

/* Of how many calls a record is to tell now; 0: not yet. */
static __always_inline u64 add(const struct space_key *key, u64 now)
{
	struct space_sum *sum = bpf_map_lookup_elem(&space_sums, key), first = {.told_ns = now};

	if (!sum) {
		if (bpf_map_update_elem(&space_sums, key, &first, BPF_ANY))
			count(this_cpu(), LOST_RECORDS);
		return 1;
	}
	u64 due = sum->count + 1;
	bool tell = now - sum->told_ns >= SPACE_GAP_NS;
	sum->count = tell ? 0 : due;
	if (tell)
		sum->told_ns = now;
	return tell ? due : 0;
}

static __always_inline void read_path(struct space_record *r, u64 address)
{
	r->is_path = bpf_probe_read_user_str(r->path, sizeof(r->path), (const void *)address) > 0;
}

/* What the file system's own name for the file is, in case that the process is gone when user space looks. */
static __always_inline void read_file(struct space_record *r, struct file *file)
{
	r->size = BPF_CORE_READ(file, f_inode, i_size);
	bpf_probe_read_kernel_str(r->path, sizeof(r->path), BPF_CORE_READ(file, f_path.dentry, d_name.name));
}

static __always_inline void read_what(struct space_record *r, const struct entry *entry, u8 what, struct file *file)
{
	r->fd = what == SPACE_FD || what == SPACE_FD_AND_PATH ? (u32)entry->first : SPACE_NO_FD;
	r->size = r->is_path = 0;
	r->path[0] = 0;
	if (file)
		read_file(r, file);
	else if (what == SPACE_PATH)
		read_path(r, entry->first);
	else if (what == SPACE_FD_AND_PATH || what == SPACE_SECOND_PATH)
		read_path(r, entry->second);
}

static __noinline int failed(void *ctx)
{
	struct task_struct *task = current_task();
	struct entry entry = task_entry(task, config.has_task_registers);
	u32 index = bpf_get_smp_processor_id();
	struct space_record *r = bpf_map_lookup_elem(&per_cpu_capture, &index);
	u8 what = entry.syscall >= 0 && entry.syscall < SPACE_CALLS ? space_calls[entry.syscall & (SPACE_CALLS - 1)] : SPACE_NO_CALL;
	struct file *file = what == SPACE_FD ? file_of(task, (u32)entry.first) : NULL;
	u64 now = bpf_ktime_get_ns(), who = bpf_get_current_pid_tgid();
	struct space_key key = {.tid = (u32)who, .tgid = who >> 32};

	if (!r || what == SPACE_NO_CALL)
		return 0;
	if (file)
		key.device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	r->count = add(&key, now);
	if (!r->count)
		return 0;
	fill_head(&r->head, RECORD_SPACE, now, task);
	r->key = key;
	read_what(r, &entry, what, file);
	r->stack.pages = r->stack.user_depth = r->stack.kernel_depth = r->stack.python_depth = 0;
	capture_user(ctx, &r->stack, task);
	u64 size = __builtin_offsetof(struct space_record, stack) + stack_capture_size(&r->stack);
	if (size <= capture_room(sizeof(*r)) && bpf_ringbuf_output(&records, r, size, ring_flags()))
		count(this_cpu(), LOST_RECORDS);
	return 0;
}

SEC("?tp_btf/sys_exit")
int space_exit(u64 *ctx)
{
	s64 result = (s64)ctx[1];
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_SPACE);

	if (result == -NO_SPACE && selected(task_find((u32)bpf_get_current_pid_tgid())))
		failed(ctx);
	cost_end(cpu, COST_SPACE, start);
	return 0;
}
