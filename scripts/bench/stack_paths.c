// SPDX-License-Identifier: BSD-2-Clause
/* stack_paths KINDS: computes for ever under call paths, 40 deep, of which there are so many: each some microseconds long, in an order
 * that no sampling clock can follow. A depth's function is one of two, by a bit of the path's number. */
#include <stdlib.h>

enum { DEPTH = 40 };

static volatile unsigned long done;

static void left(unsigned long path, int depth);
static void right(unsigned long path, int depth);

static inline void step(unsigned long path, int depth)
{
	if (depth == 0)
		for (int i = 0; i < 5000; i++)
			done++;
	else if (path & 1)
		right(path >> 1, depth - 1);
	else
		left(path >> 1, depth - 1);
	done++;
}

__attribute__((noinline)) static void left(unsigned long path, int depth)
{
	step(path, depth);
}

__attribute__((noinline)) static void right(unsigned long path, int depth)
{
	step(path, depth);
	done++;
}

int main(int argc, char **argv)
{
	unsigned long kinds = argc == 2 ? strtoul(argv[1], NULL, 10) : 0, state = 1;

	if (!kinds)
		return 2;
	for (;;) {
		state = state * 6364136223846793005ul + 1442695040888963407ul;
		left((state >> 24) % kinds, DEPTH);
	}
}
