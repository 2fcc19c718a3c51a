/* SPDX-License-Identifier: BSD-2-Clause */
/* What the reclaim probe's two sides share. */
#pragma once
#include "wire.h"

enum reclaim_kind { RECLAIM_MACHINE, RECLAIM_CGROUP, RECLAIM_COMPACTION, RECLAIM_KINDS };

struct reclaim_key {
	u32 tid;
	u32 tgid;
	u32 kind;
	u32 unused;
};

/* What one thread has spent; user space takes it away each slice. */
struct reclaim_sum {
	u64 count;
	u64 ns;
};
