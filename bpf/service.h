/* SPDX-License-Identifier: BSD-2-Clause */
/* What the service probe's two sides share. */
#pragma once
#include "wire.h"

#define SERVICE_OPEN_NS 1000000000ull /* a request that waits longer is told of before its answer */

enum service_side { SERVICE_NONE, SERVICE_ANSWERS, SERVICE_CALLS };

/* What a request's time goes into. The parts add up to it. */
enum service_part {
	PART_QUEUE,     /* nobody had received it or was in line for a CPU to do so, or it waited to be taken over */
	PART_RUNQUEUE,  /* its thread waited for a CPU */
	PART_CPU,
	PART_LOCK,
	PART_DISK,
	PART_MEMORY,    /* page faults that read, and reclaim */
	PART_PEER,      /* waited on sockets and pipes, or polled */
	PART_OTHER,     /* slept, was stopped, ... */
	PART_ELSEWHERE, /* another thread answers, and what it did meanwhile is not known */
	PARTS,
	PARTS_BEFORE = PART_CPU + 1 /* there can be so many before a thread receives the request */
};

enum {
	SERVICE_PATH_BYTES = 108, /* of a Unix socket */
	SERVICE_PROBES = 8,       /* places where an entry of the tables below may be */
	SERVICE_COUNT = 1024,     /* of entries, powers of two */
	SERVICE_THREADS = 16384,
};

/* The serving end, as both sides see it. A Unix socket has port 0 and, as its address, that of its name in the kernel. */
struct service_key {
	u8 address[16];
	u16 port;
	u16 side; /* enum service_side */
	u32 unused;
};

/* Tables that user space maps, open addressing by id: a hash of what the entry is about, 0 where it is free. Sums only
 * grow; user space frees what has not changed for long. */
struct service_latency {
	u64 id;
	struct service_key key;
	u64 histogram[LATENCY_BUCKETS];
	char path[SERVICE_PATH_BYTES]; /* an abstract one starts with NUL */
	u32 path_length;
};

/* Which entries may be in use, a byte each: so that nobody has to look at all of them. */
struct service_used {
	u8 latencies[SERVICE_COUNT];
	u8 sums[SERVICE_THREADS];
};

enum service_open_kind { OPEN_HELD, OPEN_UNREAD, OPEN_CALL, OPEN_KINDS };

/* A request or call that waits for its answer, as the walk over all of them tells. */
struct service_open {
	struct service_key key;
	u64 ns;        /* so far */
	u32 kind;      /* enum service_open_kind */
	u32 tid, tgid; /* who received it, or called; 0: nobody has */
	u32 shift;     /* it stands for 1 << shift of its like */
	u32 path_length;
	char path[SERVICE_PATH_BYTES]; /* as in service_latency */
};

struct service_sums {
	u64 id;
	struct service_key key;
	u32 tid, tgid; /* who answers or calls */
	u64 count, ns;
	u64 part[PARTS]; /* ns; of answers */
};
