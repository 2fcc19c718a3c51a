// SPDX-License-Identifier: BSD-2-Clause
/* storm SECONDS: a process and its child hand a byte back and forth on one CPU, as fast as they can; says how much CPU time each
 * took. storm SECONDS faults: a process touches new memory as fast as it can. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 256 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void answer(int from, int to)
{
	char byte;

	prctl(PR_SET_NAME, "pong");
	while (read(from, &byte, 1) == 1 && write(to, &byte, 1) == 1)
		;
	_exit(0);
}

static void ping(double until)
{
	int there[2], back[2];
	char byte = 0;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	if (pipe(there) < 0 || pipe(back) < 0)
		exit(1);
	if (fork() == 0) {
		close(there[1]);
		answer(there[0], back[1]);
	}
	prctl(PR_SET_NAME, "ping");
	for (int i = 0; i++ % 1024 || now() < until;)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			exit(1);
	close(there[1]);
	wait(NULL);
	printf("%f %f\n", seconds(RUSAGE_SELF), seconds(RUSAGE_CHILDREN));
}

static void touch(double until)
{
	prctl(PR_SET_NAME, "touch");
	while (now() < until) {
		char *memory = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			exit(1);
		for (int i = 0; i < PAGES; i++)
			memory[i * 4096] = 1;
		munmap(memory, PAGES * 4096);
	}
}

int main(int argc, char **argv)
{
	double until = now() + (argc > 1 ? atof(argv[1]) : 1);

	if (argc > 2)
		touch(until);
	else
		ping(until);
	return 0;
}
