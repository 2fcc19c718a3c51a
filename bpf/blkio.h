/* SPDX-License-Identifier: BSD-2-Clause */
/* What the blkio probe's two sides share. */
#pragma once
#include "wire.h"

enum disk_operation { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD, DISK_OTHER, DISK_OPERATIONS };

struct disk_key {
	u32 device; /* major << 20 | minor of the whole disk */
	u32 operation;
};

/* Totals that only grow. */
struct disk_io {
	u64 requests, bytes, errors;
	u64 sequential;  /* began where the one before ended */
	u64 next_sector; /* behind the last one */
	u64 last_error;  /* as the kernel gave it: a blk_status_t, before 5.16 a negative errno */
	u64 queue[LATENCY_BUCKETS];  /* from insertion to issue, ns */
	u64 device[LATENCY_BUCKETS]; /* from issue to completion, ns */
};

struct disk_user_key {
	u32 tid;
	u32 tgid;
	struct disk_key disk;
};

/* What one thread had done by a disk; user space takes it away each slice. */
struct disk_user {
	u64 requests, bytes;
	u64 ns; /* queue and device */
};
