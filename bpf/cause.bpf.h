/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a thread gives up its CPU: read from its state, its flags and the registers with which it entered
 * the kernel. It is the thread itself that pays, as it blocks; system calls that do not block are not touched. */
#pragma once
#include "probe.bpf.h"

/* Bits of task_struct's __state and flags, as in include/linux/sched.h. */
enum {
	BIT_UNINTERRUPTIBLE = 0x2,
	BIT_STOPPED = 0x4,
	BIT_TRACED = 0x8,
	BIT_DEAD = 0x80,
	BIT_WAKEKILL = 0x100,
	BIT_NOLOAD = 0x400,
	BIT_RTLOCK_WAIT = 0x1000,
	BIT_FROZEN = 0x8000,
	FLAG_IO_WORKER = 0x10,
	FLAG_MEMALLOC = 0x800,
	FLAG_USER_WORKER = 0x4000,
	FLAG_KTHREAD = 0x200000,
};

/* Bits of an inode's mode. */
enum { MODE_TYPE = 0170000, MODE_SOCKET = 0140000, MODE_FIFO = 0010000, MODE_CHARACTER = 0020000 };

enum { FAMILY_UNIX = 1 };

/* Where a thread polls, in 16 bytes of its stack. What is so much deeper lies on another stack. */
enum { LOOP_STACK_MASK = (1 << 16) - 1, LOOP_STACK_MOST = 1 << 15, ANY_FD = 0xff, MOST_INNER_POLLS = 8 };

/* So long the kind of a descriptor that one call waits on is taken to stay what it was: looking is dear. */
#define FILE_KNOWN_NS 10000000ull

const volatile struct syscall_wait syscall_waits[SYSCALL_COUNT] SEC(".rodata.waits") = {};

/* Files without a place in the tree are told by the name that the kernel gives their kind. */
static __always_inline u8 anonymous_cause(struct file *file)
{
	const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	char start[8] = {};

	bpf_probe_read_kernel(start, sizeof(start), name);
	switch (start[1]) {
	case 't': return STATE_SLEEPING; /* [timerfd] */
	case 's': return STATE_SIGNAL;   /* [signalfd] */
	case 'e': return start[6] == 'f' ? STATE_IPC : STATE_POLL; /* [eventfd], [eventpoll] */
	default: return STATE_POLL;      /* inotify, perf events, ... */
	}
}

static __always_inline u8 socket_cause(struct file *file)
{
	struct socket *socket = (struct socket *)BPF_CORE_READ(file, private_data);

	return BPF_CORE_READ(socket, sk, __sk_common.skc_family) == FAMILY_UNIX ? STATE_IPC : STATE_NETWORK;
}

/* What a thread waits for that reads or writes a file. */
static __always_inline u8 file_cause(struct task_struct *task, u32 fd)
{
	struct files_struct *files = task->files;
	struct file *file = NULL;

	if (!files)
		return STATE_OTHER;
	struct fdtable *table = files->fdt;
	if (fd >= table->max_fds || bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd) || !file)
		return STATE_OTHER;
	switch (BPF_CORE_READ(file, f_inode, i_mode) & MODE_TYPE) {
	case MODE_SOCKET: return socket_cause(file);
	case MODE_FIFO: return STATE_IPC;
	case MODE_CHARACTER: return STATE_POLL; /* for input: a terminal, a device */
	case 0: return anonymous_cause(file);
	default: return STATE_DISK;
	}
}

static __always_inline u8 known_file_cause(struct task_struct *task, struct task_slot *slot, u32 fd, u64 now)
{
	if (slot->file_site != slot->wait_site || slot->file_fd != fd || now >= slot->file_until_ns) {
		slot->file_cause = file_cause(task, fd);
		slot->file_site = slot->wait_site;
		slot->file_fd = fd;
		slot->file_until_ns = now + FILE_KNOWN_NS;
	}
	return slot->file_cause;
}

static __always_inline bool is_uninterruptible(u32 bits)
{
	return bits & BIT_UNINTERRUPTIBLE && !(bits & BIT_NOLOAD);
}

/* Kernel threads have no system call, and the workers that io_uring gives a process only seem to. */
static __always_inline u8 kernel_thread_cause(u32 bits, bool iowait)
{
	if (iowait)
		return STATE_DISK;
	if (!is_uninterruptible(bits))
		return STATE_IDLE;
	return config.sees_kernel_locks ? STATE_OTHER : STATE_KERNEL_LOCK;
}

/* Whether this poll is that of the thread's event loop. One of something else, further down the stack, is what a handler waits in,
 * for a child that it has started or for an answer: the loop has not come back. Unless it never does: a program may have polled
 * once as it began. fd: ANY_FD for poll() and select(). */
static __always_inline u8 loop_poll(struct task_slot *slot, u8 fd, u64 sp)
{
	u32 place = (u32)(sp >> 4) & LOOP_STACK_MASK, deeper = (slot->loop_place - place) & LOOP_STACK_MASK;
	bool inner = slot->loop_fd && slot->loop_fd != fd && deeper && deeper < LOOP_STACK_MOST;

	if (inner && slot->loop_inner < MOST_INNER_POLLS) {
		slot->loop_inner++;
		return POLL_NONE;
	}
	slot->loop_fd = fd;
	slot->loop_place = place;
	slot->loop_inner = 0;
	return inner ? POLL_OF_NEW_LOOP : POLL_OF_LOOP;
}

static __always_inline u8 syscall_cause(struct task_struct *task, struct task_slot *slot, u32 bits, bool iowait, u64 now)
{
	struct entry entry = task_entry(task, config.has_task_registers);

	slot->wait_site = entry.site;
	/* In user code: it has touched a page that is not there. */
	if (entry.syscall < 0) {
		bool guess = !iowait && !config.sees_kernel_locks;

		return guess && is_uninterruptible(bits) ? STATE_KERNEL_LOCK : STATE_FAULT;
	}
	u32 number = entry.syscall;
	if (number >= SYSCALL_COUNT)
		return iowait ? STATE_DISK : STATE_OTHER;
	u8 cause = syscall_waits[number].cause;
	u16 how = syscall_waits[number].how;

	slot->for_many = how & WAIT_FOR_MANY && !(iowait && !(how & WAIT_IS_POLL));
	if (how & (WAIT_KEY_ADDRESS | WAIT_KEY_MEMORY)) {
		slot->wait_key = entry.first;
		slot->wait_key_kind = how & WAIT_KEY_MEMORY ? KEY_MEMORY : KEY_ADDRESS;
	} else if (how & (WAIT_KEY_FD | WAIT_KEY_SEMAPHORES)) {
		slot->wait_key = (u32)entry.first;
		slot->wait_key_kind = how & WAIT_KEY_FD ? KEY_FD : KEY_SEMAPHORES;
	}
	if (slot->for_many)
		slot->for_many = loop_poll(slot, how & WAIT_KEY_FD ? (u8)entry.first : ANY_FD, entry.sp);
	if (iowait && !(how & WAIT_IS_POLL))
		return STATE_DISK;
	if (how & WAIT_BY_FILE)
		cause = known_file_cause(task, slot, (u32)entry.first, now);
	if (how & WAIT_BY_COMMAND && (entry.second == 7 || entry.second == 38)) /* F_SETLKW, F_OFD_SETLKW */
		cause = STATE_LOCK;
	if (!is_uninterruptible(bits) || how & WAIT_ANYHOW || cause == STATE_DISK)
		return cause;
	return config.sees_kernel_locks ? STATE_OTHER : STATE_KERNEL_LOCK;
}

/* The lock of the thread's own address space. */
static __always_inline bool is_address_space(struct task_struct *task, u64 lock)
{
	return task->mm && lock == (u64)task->mm + bpf_core_field_offset(struct mm_struct, mmap_lock);
}

static __always_inline u8 stopped_state(struct task_struct *task, struct task_slot *slot, u32 bits)
{
	slot->wait_key_kind = bits & BIT_FROZEN ? KEY_FREEZER : bits & BIT_TRACED ? KEY_TRACER : KEY_SIGNAL;
	slot->wait_key = bits & BIT_TRACED ? (u32)task->parent->tgid : 0;
	return STATE_STOPPED;
}

/* The state that a thread leaves its CPU with. The first checks are of what the kernel says itself. */
static __always_inline u8 blocked_state(struct task_struct *task, struct task_slot *slot, u32 bits, u64 now)
{
	u32 flags = task->flags;
	bool kernel_thread = flags & (FLAG_KTHREAD | FLAG_IO_WORKER | FLAG_USER_WORKER);
	bool iowait = task_in_iowait(task), throttled = slot->throttled;

	slot->wait_key_kind = KEY_NONE;
	slot->wait_site = 0;
	slot->throttled = slot->for_many = 0;
	if (slot->kernel_lock) {
		slot->wait_key = slot->kernel_lock;
		slot->wait_key_kind = is_address_space(task, slot->kernel_lock) ? KEY_ADDRESS_SPACE : KEY_KERNEL_LOCK;
		return STATE_KERNEL_LOCK;
	}
	if (bits & BIT_RTLOCK_WAIT)
		return STATE_KERNEL_LOCK;
	if (kernel_thread)
		return kernel_thread_cause(bits, iowait);
	if (throttled && iowait && bits & BIT_WAKEKILL) {
		slot->wait_key_kind = KEY_DEVICE;
		return STATE_DIRTY;
	}
	if (flags & FLAG_MEMALLOC || (!iowait && task_in_memstall(task)))
		return STATE_RECLAIM;
	if (task_is_frozen(task) && !is_uninterruptible(bits)) /* vfork says that it is frozen, too */
		return stopped_state(task, slot, BIT_FROZEN);
	return syscall_cause(task, slot, bits, iowait, now);
}

static __always_inline u8 left_state(struct task_struct *task, struct task_slot *slot, u32 bits, u64 now)
{
	if (!bits)
		return STATE_PREEMPTED;
	if (bits & BIT_DEAD)
		return STATE_DEAD;
	if (bits & (BIT_STOPPED | BIT_TRACED | BIT_FROZEN))
		return stopped_state(task, slot, bits);
	return blocked_state(task, slot, bits, now);
}
