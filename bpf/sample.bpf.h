/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack of what runs as a perf event interrupts it. */
#pragma once
#include "stack.bpf.h"
#include "python.bpf.h"

/* Frames of the kernel's own walk, kernel or user; `at` is how many are there already. */
static __always_inline u32 walk(void *ctx, struct stack_capture *s, u32 at, u64 flags)
{
	if (at > STACK_DEPTH)
		return 0;
	long bytes = bpf_get_stack(ctx, &s->frames[at], STACK_BYTES, flags);
	return bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
}

static __always_inline void capture_user(struct bpf_perf_event_data *ctx, struct stack_capture *s,
					 struct task_struct *task)
{
	/* A sample in user code interrupted it: its registers are the event's own. */
	if (from_user(ctx))
		copy_registers(&s->registers, (const struct pt_regs *)&ctx->regs);
	else if (!entry_registers(task, s))
		return;
	copy_stack(s, stack_top(task, s->registers.sp));
}

static __always_inline void take_sample(struct bpf_perf_event_data *ctx, struct stack_capture *s, struct task_struct *task,
					struct task_slot *slot, struct cpu_slot *cpu)
{
	s->pages = s->user_depth = s->kernel_depth = s->python_depth = 0;
	if (!config.exclude_kernel)
		s->kernel_depth = walk(ctx, s, 0, 0);
	if (BPF_CORE_READ(task, mm)) { /* kernel threads have none */
		if (config.copy_stacks)
			capture_user(ctx, s, task);
		capture_python(s, task);
		/* Without frame pointers the kernel's walk is a guess: what Python says is better. */
		if ((!s->pages || walks(slot)) && !s->python_depth)
			s->user_depth = walk(ctx, s, s->kernel_depth, BPF_F_USER_STACK);
	}
	if (!(s->kernel_depth + s->user_depth + s->python_depth + s->pages))
		count(cpu, LOST_STACKS);
}
