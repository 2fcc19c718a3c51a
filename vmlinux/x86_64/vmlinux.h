/* SPDX-License-Identifier: BSD-2-Clause */
/* What x86_64 has of its own; the rest is in types.h and kernel.h. */
#pragma once
#include "../types.h"

/* Part of the user-space interface: no relocation wanted. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

struct bpf_perf_event_data {
	struct pt_regs regs;
	u64 sample_period;
	u64 addr;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_info {
	u32 status;
	u32 cpu;
};

struct thread_struct {
	unsigned long fsbase;
};

#pragma clang attribute pop

#include "../kernel.h"
