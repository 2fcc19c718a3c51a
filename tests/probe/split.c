// SPDX-License-Identifier: BSD-2-Clause
/* split SECONDS: for so much CPU time, a thread that spends 70 % of its CPU time in seventy() and 30 % in thirty(), one that sleeps
 * half of the time, and 200 short-lived processes. Built with frame pointers. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_bool done;
static volatile uint64_t sink;

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

__attribute__((noinline)) static void spin(void)
{
	sink += (uintptr_t)__builtin_frame_address(0) & 1; /* a leaf gets a frame, too */
	for (int i = 0; i < 20000; i++)
		sink = sink * 3 + 1;
}

__attribute__((noinline)) static void thirty(uint64_t until)
{
	while (now(CLOCK_THREAD_CPUTIME_ID) < until)
		spin();
	sink++; /* no tail call: the frame stays */
}

__attribute__((noinline)) static void seventy(uint64_t until, int again)
{
	if (again)
		seventy(until, again - 1); /* recursion counts once */
	while (now(CLOCK_THREAD_CPUTIME_ID) < until)
		spin();
	sink++;
}

static void *busy(void *arg)
{
	uint64_t enough = (uint64_t)(*(double *)arg * 1e9);

	prctl(PR_SET_NAME, "busy");
	while (now(CLOCK_THREAD_CPUTIME_ID) < enough) {
		uint64_t start = now(CLOCK_THREAD_CPUTIME_ID);

		seventy(start + 5110000, 3);
		thirty(start + 7300000); /* not in step with 99 samples a second */
	}
	return NULL;
}

static void *half(void *arg)
{
	prctl(PR_SET_NAME, "half");
	while (!atomic_load(&done)) {
		uint64_t start = now(CLOCK_MONOTONIC);

		while (now(CLOCK_MONOTONIC) < start + 10000000)
			spin();
		uint64_t slept = now(CLOCK_MONOTONIC) - start;
		nanosleep(&(struct timespec){.tv_nsec = (long)slept}, NULL);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[2];
	double seconds = argc > 1 ? atof(argv[1]) : 2;

	pthread_create(&threads[0], NULL, busy, &seconds);
	pthread_create(&threads[1], NULL, half, NULL);
	for (int i = 0; i < 200; i++) {
		pid_t child = fork();

		if (child == 0) {
			prctl(PR_SET_NAME, "brief");
			_exit(3);
		}
		waitpid(child, NULL, 0);
		usleep((useconds_t)(seconds * 1e6 / 200));
	}
	pthread_join(threads[0], NULL);
	atomic_store(&done, 1);
	pthread_join(threads[1], NULL);
	return 0;
}
