// SPDX-License-Identifier: BSD-2-Clause
/* annotate SECONDS: runs in the loop of hot(), which is the only one that divides; the rest of it is cold. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

__attribute__((noipa)) static unsigned long hot(unsigned long rounds, unsigned long x)
{
	if (rounds == 12345)
		puts("never");
	for (unsigned long i = 0; i < rounds; i++)
		x = x * 6364136223846793005ul / (x | 1) + i;
	return x;
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 2);
	unsigned long x = 1;

	while (time(NULL) < end)
		x += hot(1000000, x);
	return x == 42;
}
