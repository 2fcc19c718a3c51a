/* SPDX-License-Identifier: BSD-2-Clause */
/* What the softirqs probe's two sides share. */
#pragma once
#include "irq.h"

/* One CPU's. */
struct softirqs_cpu {
	u64 raised_ns[SOFTIRQS]; /* 0: not waiting */
	u64 latency[SOFTIRQS][LATENCY_BUCKETS]; /* only grows */
};
