// SPDX-License-Identifier: BSD-2-Clause
#include "width.h"

#include <stdbool.h>

#include "search.h"

static bool contains(const struct code_range *ranges, unsigned count, unsigned code)
{
	size_t begun = COUNT_UP_TO(ranges, count, .first, code);

	return begun && code <= ranges[begun - 1].last;
}

unsigned code_width(unsigned code)
{
	if (code < 0x80)
		return 1;
	if (contains(width_zero, width_zero_count, code))
		return 0;
	return contains(width_wide, width_wide_count, code) ? 2 : 1;
}
