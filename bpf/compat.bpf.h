/* SPDX-License-Identifier: BSD-2-Clause */
/* Differences between kernels. Each shim cites the commit that made it necessary. */
#pragma once
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>

/* 2f064a59a11f ("sched: Change task_struct::state", 5.14) renamed state to __state. */
struct task_struct___before_5_14 {
	long state;
} __attribute__((preserve_access_index));

static __always_inline u32 task_state_bits(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return (u32)((struct task_struct___before_5_14 *)task)->state;
}

/* The thread that runs here. 3ca1032ab7ab ("bpf: Implement get_current_task_btf and RET_PTR_TO_BTF_ID", 5.11); before it the
 * verifier knows nothing of what this points to: its fields are read by BPF_CORE_READ(). */
static __always_inline struct task_struct *current_task(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return bpf_get_current_task_btf();
	return (struct task_struct *)bpf_get_current_task();
}

/* 4f19cab76136 ("bpf: Add a bpf_sock_from_file helper", 5.11). */
static __always_inline struct socket *file_socket(struct file *file)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_sock_from_file))
		return bpf_sock_from_file(file);
	return (BPF_CORE_READ(file, f_inode, i_mode) & 0170000) == 0140000 ? (struct socket *)BPF_CORE_READ(file, private_data) : NULL;
}

/* 9eeb3aa33ae0 ("bpf: Add bpf_skc_to_unix_sock() helper", 5.16): before it, Unix sockets are not looked at. */
static __always_inline struct unix_sock *unix_socket(struct sock *sk)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_skc_to_unix_sock) ? bpf_skc_to_unix_sock(sk) : NULL;
}

/* 5.15 brought bpf_task_pt_regs() (dd6e10fbd9fb). Before it: the registers lie at the top of the kernel
 * stack, which has four pages on x86-64 and arm64. */
static __always_inline const void *entry_pt_regs(struct task_struct *task)
{
	return (const char *)BPF_CORE_READ(task, stack) + 4 * 4096 - sizeof(struct pt_regs);
}

/* How a thread entered the kernel: the number of the system call, -1 for a fault or an interrupt, and its
 * first two arguments. */
struct entry {
	s64 syscall;
	u64 first, second;
	u64 sp;
	u32 site; /* where in the program: equal for equal calls from one place at one depth */
};

/* READ(field) reads one register: directly, or one by one where a whole set would not fit on the program's stack. MODE is
 * where the kernel keeps whether a program is a 32-bit one: those count their system calls differently. */
#if defined(__TARGET_ARCH_x86)
enum { STATUS_COMPAT = 2, X32_BIT = 0x40000000 };
#define MODE thread_info.status
#define MODE_32_BIT STATUS_COMPAT
#define THREAD_POINTER thread.fsbase
#define ENTRY(mode, READ)                                                                           \
	((mode) & MODE_32_BIT ?                                                                     \
		(struct entry){.syscall = 0xffff, .first = (u32)READ(bx), .second = (u32)READ(cx)} : \
		(struct entry){.syscall = (s64)READ(orig_ax) < 0 ? -1 : READ(orig_ax) & ~X32_BIT,     \
			       .first = READ(di), .second = READ(si), .sp = READ(sp),                  \
			       .site = (u32)(READ(ip) ^ READ(sp) << 4) ^ (u32)READ(orig_ax) << 20})
#elif defined(__TARGET_ARCH_arm64)
enum { TIF_32BIT = 22 };
#define MODE thread_info.flags
#define MODE_32_BIT (1u << TIF_32BIT)
#define THREAD_POINTER thread.uw.tp_value
#define ENTRY(mode, READ)                                                                           \
	((mode) & MODE_32_BIT ?                                                                     \
		(struct entry){.syscall = 0xffff, .first = (u32)READ(orig_x0), .second = (u32)READ(regs[1])} : \
		(struct entry){.syscall = READ(syscallno), .first = READ(orig_x0), .second = READ(regs[1]), .sp = READ(sp), \
			       .site = (u32)(READ(pc) ^ READ(sp) << 4) ^ (u32)READ(syscallno) << 20})
#endif

static __always_inline struct entry task_entry(struct task_struct *task, bool has_task_registers)
{
#define DIRECT(field) entry->field
#define COPIED(field) BPF_PROBE_READ(saved, field)
	if (has_task_registers) {
		const struct pt_regs *entry = (const struct pt_regs *)bpf_task_pt_regs(task);

		return ENTRY(task->MODE, DIRECT);
	}
	const struct pt_regs *saved = entry_pt_regs(task);
	return ENTRY(BPF_CORE_READ(task, MODE), COPIED);
#undef DIRECT
#undef COPIED
}

/* A program whose system calls have other numbers. */
static __always_inline bool task_is_32_bit(struct task_struct *task)
{
	return task->MODE & MODE_32_BIT;
}

static __always_inline bool task_in_iowait(struct task_struct *task)
{
	return BPF_CORE_READ_BITFIELD(task, in_iowait);
}

/* 1066d1b6974e ("psi: Move PF_MEMSTALL out of task->flags", 5.9); only with CONFIG_PSI. */
static __always_inline bool task_in_memstall(struct task_struct *task)
{
	return bpf_core_field_exists(task->in_memstall) && BPF_CORE_READ_BITFIELD(task, in_memstall);
}

/* By the freezer of cgroup v2. */
static __always_inline bool task_is_frozen(struct task_struct *task)
{
	return bpf_core_field_exists(task->frozen) && BPF_CORE_READ_BITFIELD(task, frozen);
}

/* bcf9033e5449 ("sched: move CPU field back into thread_info if THREAD_INFO_IN_TASK=y", 5.16). */
struct task_struct___before_5_16 {
	unsigned int cpu;
} __attribute__((preserve_access_index));

static __always_inline u32 task_cpu_number(struct task_struct *task)
{
	struct task_struct___before_5_16 *old = (void *)task;

	if (bpf_core_field_exists(old->cpu))
		return BPF_CORE_READ(old, cpu);
	return BPF_CORE_READ(task, thread_info.cpu);
}

/* f3fa33acca9f ("block: remove the ->rq_disk field in struct request", 5.17): the queue knows its disk since 5.15. */
struct request___before_5_17 {
	struct gendisk *rq_disk;
} __attribute__((preserve_access_index));

static __always_inline struct gendisk *request_disk(struct request *rq)
{
	struct request___before_5_17 *old = (struct request___before_5_17 *)rq;

	/* Copied: for each way on which a pointer is read directly the verifier looks through all types, which takes milliseconds. */
	return bpf_core_field_exists(old->rq_disk) ? BPF_CORE_READ(old, rq_disk) : BPF_CORE_READ(rq, q, disk);
}

/* NULL before 309dca309fc3 ("block: store a block_device pointer in struct bio", 5.12): devices without a queue are not
 * looked at there. */
static __always_inline struct gendisk *bio_disk(struct bio *bio)
{
	return bpf_core_field_exists(bio->bi_bdev) ? BPF_CORE_READ(bio, bi_bdev, bd_disk) : NULL;
}

/* 4eecb8b9163d ("mm: Move folio-related definitions into folio.h"): 6.15 renamed the field, which only large folios have. */
struct folio___before_6_15 {
	unsigned int _folio_nr_pages;
} __attribute__((preserve_access_index));

static __always_inline u32 folio_pages(struct folio *folio)
{
	struct folio___before_6_15 *old = (struct folio___before_6_15 *)folio;
	u64 flags = 0; /* first in it, whatever its type is called */

	bpf_probe_read_kernel(&flags, sizeof(flags), folio);
	if (!bpf_core_enum_value_exists(enum pageflags, PG_head) ||
	    !(flags >> bpf_core_enum_value(enum pageflags, PG_head) & 1))
		return 1;
	if (bpf_core_field_exists(folio->_nr_pages))
		return BPF_CORE_READ(folio, _nr_pages);
	return bpf_core_field_exists(old->_folio_nr_pages) ? BPF_CORE_READ(old, _folio_nr_pages) : 1;
}
