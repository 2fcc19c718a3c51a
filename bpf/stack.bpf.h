/* SPDX-License-Identifier: BSD-2-Clause */
/* Capturing a thread's stack: the one routine for what runs and for what waits. */
#pragma once
#include "probe.bpf.h"

enum { STACK_BYTES = STACK_DEPTH * sizeof(u64), RED_ZONE = 128, MOST_STACK = 1 << 30, UNTOUCHED_PAGES = 3 };

/* What a record needs of the capture: everything up to the frames in use, or all and the pages. */
static __always_inline u64 stack_capture_size(const struct stack_capture *s)
{
	u32 pages = s->pages, depth = s->kernel_depth + s->user_depth + s->python_depth;

	if (pages)
		return __builtin_offsetof(struct stack_capture, stack) + (pages & 127) * PAGE_BYTES;
	return __builtin_offsetof(struct stack_capture, frames) + (depth & 255) * sizeof(u64);
}

/* Of the room for a record that ends in a stack: the host has cut it behind the pages that are copied. */
static __always_inline u64 capture_room(u64 record_size)
{
	return record_size - (MOST_STACK_PAGES - config.stack_pages) * (u64)PAGE_BYTES;
}

static __always_inline bool walks(const struct task_slot *slot)
{
	return slot && slot->flags & TASK_WALK;
}

static __always_inline void copy_registers(struct user_registers *to, const struct pt_regs *from)
{
#if defined(__TARGET_ARCH_arm64)
	*to = (struct user_registers){.ip = from->pc, .sp = from->sp, .bp = from->regs[29]};
#else
	to->ip = from->ip;
	to->sp = from->sp;
	to->bp = from->bp;
	to->bx = from->bx;
	to->r12 = from->r12;
	to->r13 = from->r13;
	to->r14 = from->r14;
	to->r15 = from->r15;
	to->ax = from->ax;
	to->cx = from->cx;
	to->dx = from->dx;
	to->si = from->si;
	to->di = from->di;
	to->r8 = from->r8;
	to->r9 = from->r9;
	to->r10 = from->r10;
	to->r11 = from->r11;
#endif
}

/* Whether an event's registers are those of user code. */
static __always_inline bool from_user(struct bpf_perf_event_data *ctx)
{
#if defined(__TARGET_ARCH_arm64)
	return !(ctx->regs.pstate & 15); /* the exception level */
#else
	return ctx->regs.cs & 3;
#endif
}

/* Where the copy may end: the first thread's stack begins where the kernel put it; other threads' lie
 * right below their control block, which the thread pointer points to. 0: unknown. */
static __always_inline u64 stack_top(struct task_struct *task, u64 sp)
{
	u64 top = BPF_CORE_READ(task, THREAD_POINTER);

	if (top > sp && top - sp < MOST_STACK)
		return top;
	top = BPF_CORE_READ(task, mm, start_stack);
	return top > sp && top - sp < MOST_STACK ? top : 0;
}

/* Whole pages, because lengths that vary do not pass the verifier. A page that is not there ends the copy where the stack's top is
 * unknown; else it is passed over: a large variable's pages may not have been touched yet, and the callers' are. Likewise a function's first
 * step onto new pages is a fault. */
static __always_inline void copy_stack(struct stack_capture *s, u64 top)
{
	u64 page = (s->registers.sp - RED_ZONE) & ~(u64)(PAGE_BYTES - 1);
	u32 wanted = top ? MOST_STACK_PAGES : config.stack_pages, i;

	s->pages = 0;
	for (i = 0; i < UNTOUCHED_PAGES; i++, page += PAGE_BYTES)
		if (!bpf_probe_read_user(s->stack, PAGE_BYTES, (void *)page))
			break;
	if (i == UNTOUCHED_PAGES)
		return;
	s->stack_start = page;
	if (top > page && (top - page + PAGE_BYTES - 1) / PAGE_BYTES < wanted)
		wanted = (top - page + PAGE_BYTES - 1) / PAGE_BYTES;
	s->pages = s->present = 1;
	for (i = 1; i < MOST_STACK_PAGES && i < wanted; i++) {
		barrier(); /* from memory, or each number of pages is a way of its own to the verifier */
		u32 n = s->pages;

		if (n >= config.stack_pages)
			break;
		if (!bpf_probe_read_user(s->stack + n * PAGE_BYTES, PAGE_BYTES, (void *)(page + i * PAGE_BYTES))) {
			s->present |= 1ull << i;
			s->pages = n + 1;
		} else if (!top) {
			break;
		}
	}
}

/* By itself: merged with the copy of an event's own registers, one load would have two sorts of pointers. */
static __noinline int take_saved_registers(struct stack_capture *s)
{
	copy_registers(&s->registers, (const struct pt_regs *)s->stack);
	return 0;
}

/* The user registers of a thread that is in the kernel now. They pass through the room for the stack's pages: the
 * programs' own stacks are too small for them on older kernels. */
static __always_inline bool entry_registers(struct task_struct *task, struct stack_capture *s)
{
	const void *saved;

	if (config.has_task_registers)
		saved = (const void *)bpf_task_pt_regs(task);
	else
		saved = entry_pt_regs(task);
	if (bpf_probe_read_kernel(s->stack, sizeof(struct pt_regs), saved))
		return false;
	take_saved_registers(s);
	return true;
}
