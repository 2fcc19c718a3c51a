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
