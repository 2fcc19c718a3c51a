/* SPDX-License-Identifier: BSD-2-Clause */
/* What the blkio probe's two sides share. */
#pragma once
#include "wire.h"

enum disk_operation { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD, DISK_OTHER, DISK_OPERATIONS };

struct disk_key {
	u32 device; /* major << 20 | minor of the whole disk */
	u32 operation;
};

enum {
	ALONE_DEPTH = 2, /* with at most one other as it goes to the device and as it is done: nothing to queue behind */
	DIRTY_BATCH = 16, /* pages that are dirtied on a CPU are put down to the thread that dirties the last of so many */
};

/* Of each request of one kind: totals that only grow. */
struct disk_count {
	u64 requests, bytes;
	u64 next_sector; /* behind the last one */
};

enum {
	DISK_QUEUE_BITS = 9,
	DISK_QUEUE_PROBES = 8, /* places next to each other where one may be */
	DISK_QUEUE_PLACES = (1 << DISK_QUEUE_BITS) + DISK_QUEUE_PROBES,
};

/* How many requests are looked at closely: one in 1 << shift. User space sets it; shift_before is that of requests on their way. */
struct disk_draw {
	u32 shift, shift_before;
};

/* A device's, in an array that user space maps. */
struct disk_queue {
	u64 key; /* 0: free */
	u32 device;
	u32 in_flight; /* in the device at this moment */
	struct disk_draw draw;
	struct disk_count done[DISK_OPERATIONS];
} __attribute__((aligned(64)));

/* Totals that only grow, of those that were drawn: each counts for as many as it stands for. */
struct disk_io {
	u64 requests, bytes;
	u64 drawn;       /* requests, each counted once */
	u64 errors;      /* all of them */
	u64 sequential;  /* began where the one before ended */
	u64 last_error;  /* as the kernel gave it: a blk_status_t, before 5.16 a negative errno */
	u32 failed_tid, failed_tgid; /* whose the last one that failed was */
	u64 queue[LATENCY_BUCKETS];  /* from insertion to issue, ns */
	u64 device[LATENCY_BUCKETS]; /* from issue to completion, ns */
	u64 alone[LATENCY_BUCKETS];  /* the same, of those that had the device as good as for themselves */
};

struct disk_user_key {
	u32 tid;
	u32 tgid;
	struct disk_key disk;
	u32 awaited; /* it is for those who wait until their data is on the disk: a flush, a journal */
};

/* What one thread had done by a disk; user space takes it away each slice. */
struct disk_user {
	u64 requests, bytes;
	u64 ns; /* queue and device */
};

/* Who dirtied pages that the kernel's own threads will write to a disk; taken away each slice, too. */
struct dirtier_key {
	u32 tid;
	u32 tgid;
	u32 device; /* major << 20 | minor; of a partition where its device file was written to */
};
