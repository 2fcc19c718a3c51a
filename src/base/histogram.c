// SPDX-License-Identifier: BSD-2-Clause
#include "histogram.h"

unsigned histogram_bucket(uint64_t value)
{
	if (value < 8)
		return (unsigned)value;
	unsigned exponent = 63 - (unsigned)__builtin_clzll(value);
	unsigned bucket = 8 * (exponent - 2) + ((value >> (exponent - 3)) & 7);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_low(unsigned bucket)
{
	return bucket < 8 ? bucket : (uint64_t)(8 + bucket % 8) << (bucket / 8 - 1);
}

uint64_t histogram_quantile(const uint64_t counts[HISTOGRAM_BUCKETS], double share)
{
	uint64_t total = 0, seen = 0;

	for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++)
		total += counts[b];
	double wanted = share * (double)total;
	for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
		if (!counts[b] || (double)(seen + counts[b]) < wanted) {
			seen += counts[b];
			continue;
		}
		double low = (double)histogram_low(b), high = (double)histogram_low(b + 1);
		return (uint64_t)(low + (high - low) * (wanted - (double)seen) / (double)counts[b]);
	}
	return 0;
}
