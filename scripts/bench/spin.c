// SPDX-License-Identifier: BSD-2-Clause
/* spin [ROUNDS [FILE]]: a CPU-bound program with a fixed amount of work in several functions. The file's first eight bytes say how much
 * of it is done, in sixteenths of a round. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "count.h"

static __attribute__((noinline)) uint64_t mix(uint64_t x)
{
	for (int i = 0; i < 100; i++)
		x = (x ^ x >> 29) * 0x9e3779b97f4a7c15ull;
	return x;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static uint64_t values[4096], own_count;
	uint64_t *count = argc > 2 ? shared_count(argv[2]) : &own_count;
	long rounds = argc > 1 ? atol(argv[1]) : 100;
	uint64_t sum = 1;

	for (long r = 0; r < rounds; r++) {
		for (int i = 0; i < 4096; i++) {
			values[i] = sum = mix(sum + (uint64_t)i);
			*count += !(i % 256);
		}
		qsort(values, 4096, sizeof(values[0]), ascending);
		sum += values[2048];
	}
	printf("%llu\n", (unsigned long long)sum);
	return 0;
}
