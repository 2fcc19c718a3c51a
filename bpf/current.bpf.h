/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack of the thread that runs here, from a tracepoint in the kernel. */
#pragma once
#include "python.bpf.h"
#include "stack.bpf.h"

enum { SITE_WORDS = 16 }; /* of the stack that tell apart calls from one depth */

const volatile struct place_range places[PLACE_COUNT] SEC(".rodata.places") = {};

/* Frames of tracing itself above the function that is traced: the same number each time, found out once. */
u32 tracing_frames[PLACE_COUNT];

enum { MOST_TRACING_FRAMES = 10 };

static __always_inline bool is_in(u64 address, enum place place)
{
	return address >= places[place].start && address < places[place].end;
}

static __always_inline u32 walk_kernel(void *ctx, struct stack_capture *s, enum place place)
{
	u32 skipped = tracing_frames[place] & 0x7f;
	long bytes = bpf_get_stack(ctx, s->frames, STACK_BYTES, skipped);

	if (bytes <= 0 || is_in(s->frames[0], place))
		return bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
#pragma unroll
	for (u32 i = 1; i < MOST_TRACING_FRAMES; i++) {
		if (!is_in(s->frames[i], place))
			continue;
		tracing_frames[place] = skipped + i;
		bytes = bpf_get_stack(ctx, s->frames, STACK_BYTES, skipped + i);
		return bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
	}
	return (u32)bytes / sizeof(u64);
}

static __always_inline u32 walk_stack(void *ctx, struct stack_capture *s, u32 at, u64 flags)
{
	if (at > STACK_DEPTH)
		return 0;
	long bytes = bpf_get_stack(ctx, &s->frames[at], STACK_BYTES, flags);
	return bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
}

/* Behind the kernel's frames that are there already. */
static __always_inline void capture_user(void *ctx, struct stack_capture *s, struct task_struct *task)
{
	if (config.copy_stacks && entry_registers(task, s))
		copy_stack(s, stack_top(task, s->registers.sp));
	capture_python(s, task);
	if ((!s->pages || walks(task_find(BPF_CORE_READ(task, pid)))) && !s->python_depth)
		s->user_depth = walk_stack(ctx, s, s->kernel_depth, BPF_F_USER_STACK);
}

/* Kernel and user stack of the thread that runs here. */
static __always_inline void capture_current(void *ctx, struct stack_capture *s, struct task_struct *task,
					    enum place place, bool user)
{
	s->pages = s->user_depth = s->kernel_depth = s->python_depth = 0;
	if (!config.exclude_kernel)
		s->kernel_depth = walk_kernel(ctx, s, place);
	if (user && BPF_CORE_READ(task, mm))
		capture_user(ctx, s, task);
}

/* The site by its callers as well: return addresses into the program's text among the first words of the stack. */
static __always_inline u32 site_of_callers(u32 site, u64 sp, u64 text, u64 text_end)
{
	u64 words[SITE_WORDS];

	if (bpf_probe_read_user(words, sizeof(words), (const void *)sp))
		return site;
#pragma unroll
	for (u32 i = 0; i < SITE_WORDS; i++)
		if (words[i] - text < text_end - text)
			site = (site ^ (u32)words[i]) * 0x85ebca6bu;
	return site;
}
