// SPDX-License-Identifier: BSD-2-Clause
/* A workload whose truth it prints itself: threads that run, sleep and stop for known shares of time.
 * One line a thread at its end: NAME TID LIFETIME_NS CPU_NS. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

struct job {
	const char *name;
	long run_us, sleep_us; /* alternating; run 0: one long sleep */
};

static double seconds;

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void burn(uint64_t ns)
{
	uint64_t end = now(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (now(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static void *work(void *arg)
{
	const struct job *job = arg;
	uint64_t start = now(CLOCK_MONOTONIC), end = start + (uint64_t)(seconds * 1e9);

	prctl(PR_SET_NAME, job->name);
	while (now(CLOCK_MONOTONIC) < end) {
		burn((uint64_t)job->run_us * 1000);
		if (job->sleep_us)
			usleep((useconds_t)job->sleep_us);
	}
	printf("%s %d %llu %llu\n", job->name, gettid(), (unsigned long long)(now(CLOCK_MONOTONIC) - start),
	       (unsigned long long)now(CLOCK_THREAD_CPUTIME_ID));
	return NULL;
}

int main(int argc, char **argv)
{
	static struct job jobs[] = {
		{"spinner", 1000, 0}, {"half", 5000, 5000}, {"dozer", 100, 20000}, {"busy-bee", 20, 80}};
	enum { COUNT = sizeof(jobs) / sizeof(jobs[0]) };
	pthread_t threads[COUNT];

	seconds = argc > 1 ? atof(argv[1]) : 1;
	for (int i = 0; i < COUNT; i++)
		if (pthread_create(&threads[i], NULL, work, &jobs[i]))
			return 1;
	for (int i = 0; i < COUNT; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
