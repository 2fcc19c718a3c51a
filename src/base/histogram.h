/* SPDX-License-Identifier: BSD-2-Clause */
/* Latency histograms with buckets an eighth of a power of two wide (values below 8 exact): any
 * value is known to 12.5 %. The kernel side sorts with the same layout (wire.h, latency_bucket()). */
#pragma once
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 304 }; /* up to 2^40 ns, 18 minutes; what is longer goes into the last */

unsigned histogram_bucket(uint64_t value);
uint64_t histogram_low(unsigned bucket); /* the smallest value of the bucket; histogram_low(b + 1) bounds it */

/* The value below which `share` (0..1) of the counts lie, interpolated in its bucket; 0 when empty. */
uint64_t histogram_quantile(const uint64_t counts[HISTOGRAM_BUCKETS], double share);
