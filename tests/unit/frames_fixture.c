// SPDX-License-Identifier: BSD-2-Clause
/* Built twice, with and without frame pointers, to be judged by its machine code. */
#define FUNCTION(n)                                                                                \
	__attribute__((visibility("default"))) int frames_##n(int (*value)(int), int count);            \
	int frames_##n(int (*value)(int), int count)                                                    \
	{                                                                                               \
		int first = value(count + (n));                                                         \
		return first + value(first * (n)) + value(count);                                       \
	}

FUNCTION(1)
FUNCTION(2)
FUNCTION(3)
FUNCTION(4)
