/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of many values are among the largest, about: counted first, then asked, without sorting them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"

struct heaviest {
	uint32_t counts[HISTOGRAM_BUCKETS];
	int least; /* the bucket from which on values are */
};

static inline void heaviest_count(struct heaviest *h, uint64_t value)
{
	h->counts[histogram_bucket(value)]++;
}

/* At most that many are, of values that are alike all or none; if none were, those of the highest bucket. */
static inline void heaviest_choose(struct heaviest *h, uint32_t most)
{
	uint32_t count = 0;

	for (h->least = HISTOGRAM_BUCKETS; h->least > 0; h->least--) {
		uint32_t more = h->counts[h->least - 1];

		if (count && count + more > most)
			break;
		count += more;
	}
}

static inline bool heaviest_has(const struct heaviest *h, uint64_t value)
{
	return (int)histogram_bucket(value) >= h->least;
}
