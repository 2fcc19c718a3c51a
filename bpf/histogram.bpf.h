/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel side of base's histogram.h: the same buckets. */
#pragma once
#include "probe.bpf.h"

static __always_inline u32 latency_bucket(u64 ns)
{
	u32 exponent = 0;
	u64 rest = ns;

	if (ns < 8)
		return ns;
	if (rest >> 32) { exponent += 32; rest >>= 32; }
	if (rest >> 16) { exponent += 16; rest >>= 16; }
	if (rest >> 8) { exponent += 8; rest >>= 8; }
	if (rest >> 4) { exponent += 4; rest >>= 4; }
	if (rest >> 2) { exponent += 2; rest >>= 2; }
	if (rest >> 1) exponent += 1;
	u32 bucket = 8 * (exponent - 2) + ((ns >> (exponent - 3)) & 7);
	return bucket;
}

/* The same within a histogram's bounds, as the verifier wants to see it: the compiler must not prove that away. */
static __always_inline u32 latency_index(u64 ns)
{
	u32 bucket = latency_bucket(ns);

	barrier_var(bucket);
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* Several CPUs count into one histogram. */
static __always_inline void latency_add(u64 *histogram, u64 ns, u64 times)
{
	__sync_fetch_and_add(&histogram[latency_index(ns)], times);
}
