/* SPDX-License-Identifier: BSD-2-Clause */
/* What aarch64 has of its own; the rest is in types.h and kernel.h. */
#pragma once
#include "../types.h"

/* Part of the user-space interface: no relocation wanted. */
struct user_pt_regs {
	u64 regs[31], sp, pc, pstate;
};

/* Begins as user_pt_regs does. */
struct pt_regs {
	u64 regs[31], sp, pc, pstate;
	u64 orig_x0;
	s32 syscallno;
	u32 unused;
};

struct bpf_perf_event_data {
	struct user_pt_regs regs;
	u64 sample_period;
	u64 addr;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_info {
	unsigned long flags;
	u32 cpu;
};

struct thread_struct {
	struct {
		unsigned long tp_value;
	} uw;
};

#pragma clang attribute pop

#include "../kernel.h"
