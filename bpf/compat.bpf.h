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

/* 5.15 brought bpf_task_pt_regs() (dd6e10fbd9fb). Before it: the registers lie at the top of the kernel
 * stack, which has four pages on x86-64 and arm64. */
static __always_inline const void *entry_pt_regs(struct task_struct *task)
{
	return (const char *)task->stack + 4 * 4096 - sizeof(struct pt_regs);
}
