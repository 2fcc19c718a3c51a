/* SPDX-License-Identifier: BSD-2-Clause */
/* What the syscalls probe's two sides share. */
#pragma once
#include "wire.h"

enum {
	SYSCALL_FOREIGN = 0xffff, /* the number of every call of a 32-bit program: they are counted differently there */
	MOST_SYSCALL_SUMS = 16384,
	MOST_SYSCALL_ERRORS = 8192,
};

struct syscall_key {
	u32 tgid;
	u16 number;
	u16 error; /* errno; 0 in the sums of all calls */
};

/* One CPU's part; user space takes it away each slice. */
struct syscall_sum {
	u64 count;
	u64 ns;
};
