// SPDX-License-Identifier: BSD-2-Clause
/* deep SECONDS NAME: computes at the end of many frames, small ones, of 4 KiB, or of 40 KiB that are hardly used, in a process for each shape, named by it. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static volatile unsigned sink;
static time_t end;

static NOINLINE unsigned compute(void)
{
	while (time(NULL) < end)
		for (unsigned i = 0; i < 1000000; i++)
			sink += i * i;
	return sink;
}

static NOINLINE unsigned small(unsigned depth)
{
	unsigned r = depth > 1 ? small(depth - 1) : compute();

	sink += r; /* after the call: no tail call */
	return r + depth;
}

#define ROOMY(name, bytes) \
	static NOINLINE unsigned name(unsigned depth) \
	{ \
		volatile char room[bytes]; \
		room[0] = (char)depth; \
		unsigned r = depth > 1 ? name(depth - 1) : compute(); \
		sink += r + (unsigned char)room[0]; \
		return r + depth; \
	}

ROOMY(large, 4096 - 64)
ROOMY(hollow, 40960 - 64) /* most of it stays as the kernel gave it: pages that are not there */

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		unsigned (*f)(unsigned depth);
		unsigned depth;
	} shapes[] = {{"small-500", small, 500}, {"large-30", large, 30}, {"large-500", large, 500}, {"hollow-5", hollow, 5}};

	char comm[16];

	if (argc < 3)
		return 2;
	end = time(NULL) + atoi(argv[1]);
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (fork())
			continue;
		snprintf(comm, sizeof(comm), "%s-%s", argv[2], shapes[i].name);
		prctl(PR_SET_NAME, comm);
		shapes[i].f(shapes[i].depth);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
