/* SPDX-License-Identifier: BSD-2-Clause */
/* Binary search in rows that stand in the order of a number. */
#pragma once
#include <stddef.h>

/* How many of the rows have a member that is at most the value: the last of them is the row before that number. The member is
 * written with its dot; without one the rows themselves are the numbers. */
#define COUNT_UP_TO(rows, count, member, value)                       \
	({                                                            \
		size_t low_ = 0, high_ = (count);                     \
		__typeof__(value) value_ = (value);                   \
		while (low_ < high_) {                                \
			size_t middle_ = low_ + (high_ - low_) / 2;   \
			if ((rows)[middle_] member <= value_)         \
				low_ = middle_ + 1;                   \
			else                                          \
				high_ = middle_;                      \
		}                                                     \
		low_;                                                 \
	})
