/* SPDX-License-Identifier: BSD-2-Clause */
/* What the space probe's two sides share. */
#pragma once
#include "wire.h"

enum {
	SPACE_CALLS = 512,          /* numbers of system calls that are known */
	SPACE_PATH_BYTES = 256,     /* of a path; what is longer is cut */
	SPACE_GAP_NS = 50 * 1000 * 1000, /* between two records of a thread */
	MOST_SPACE_SUMS = 4096,
	SPACE_NO_FD = 0x7fffffff,
};

/* Which argument of a call says what was to grow. */
enum space_what {
	SPACE_NO_CALL,      /* it needs no room */
	SPACE_UNKNOWN,      /* not among the first two */
	SPACE_FD,           /* first: a descriptor */
	SPACE_PATH,         /* first: a path */
	SPACE_FD_AND_PATH,  /* a folder's descriptor and a path */
	SPACE_SECOND_PATH,  /* second */
};

/* Calls of a thread that failed, until a record tells of them or user space takes them away at a slice's end. */
struct space_key {
	u32 tid, tgid;
	u32 device; /* of the file system, as the kernel writes it; 0: unknown */
	u32 unused;
};

struct space_sum {
	u64 count;
	u64 told_ns;
};

/* Calls of a thread failed for want of room: this one, and those since the last record. */
struct space_record {
	struct record head;
	struct space_key key;
	u64 count;
	u64 size; /* of the file that it wrote to, bytes */
	u32 fd;   /* that it wrote to, or the folder's; else SPACE_NO_FD */
	u32 is_path;
	char path[SPACE_PATH_BYTES];
	struct stack_capture stack; /* last, and cut behind what it holds */
};
