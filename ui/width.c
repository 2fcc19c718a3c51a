// SPDX-License-Identifier: BSD-2-Clause
#include "width.h"

#include <stdbool.h>

static bool contains(const struct code_range *ranges, unsigned count, unsigned code)
{
	unsigned low = 0, high = count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (code > ranges[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && code >= ranges[low].first;
}

unsigned code_width(unsigned code)
{
	if (code < 0x80)
		return 1;
	if (contains(width_zero, width_zero_count, code))
		return 0;
	return contains(width_wide, width_wide_count, code) ? 2 : 1;
}
