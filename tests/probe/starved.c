// SPDX-License-Identifier: BSD-2-Clause
/* A lock whose holder shares its CPU with others: `waiter` waits for `holder`, which computes, and waits for the CPU. Says at
 * the end how long the waiter waited, and how much of it the holder was kept from running: WAITED_NS QUEUED_NS. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { HOGS = 2 };

static pthread_mutex_t ledger = PTHREAD_MUTEX_INITIALIZER;
static sem_t held;
static volatile bool finished;
static uint64_t end, waited, queued;

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void share_a_cpu(const char *name)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	prctl(PR_SET_NAME, name);
}

__attribute__((noinline)) static void compute_totals(void)
{
	uint64_t begin = now(CLOCK_MONOTONIC), ran = now(CLOCK_THREAD_CPUTIME_ID), took;

	while (now(CLOCK_THREAD_CPUTIME_ID) - ran < 15000000)
		;
	took = now(CLOCK_THREAD_CPUTIME_ID) - ran;
	queued += now(CLOCK_MONOTONIC) - begin - took;
}

static void *hold(void *arg)
{
	share_a_cpu("holder");
	while (now(CLOCK_MONOTONIC) < end) {
		pthread_mutex_lock(&ledger);
		sem_post(&held);
		usleep(1000); /* until the other one is in line */
		compute_totals();
		pthread_mutex_unlock(&ledger);
		usleep(5000);
	}
	finished = true;
	sem_post(&held);
	return arg;
}

__attribute__((noinline)) static void ask_for_totals(void)
{
	uint64_t begin = now(CLOCK_MONOTONIC);

	pthread_mutex_lock(&ledger);
	pthread_mutex_unlock(&ledger);
	waited += now(CLOCK_MONOTONIC) - begin;
}

static void *wait_in_line(void *arg)
{
	prctl(PR_SET_NAME, "waiter");
	while (sem_wait(&held) == 0 && !finished)
		ask_for_totals();
	return arg;
}

static void *hog(void *arg)
{
	share_a_cpu("hog");
	while (!finished)
		;
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t threads[2 + HOGS];

	end = now(CLOCK_MONOTONIC) + (uint64_t)(argc > 1 ? atoi(argv[1]) : 1) * 1000000000ull;
	sem_init(&held, 0, 0);
	for (int i = 0; i < 2 + HOGS; i++)
		pthread_create(&threads[i], NULL, i ? i > 1 ? hog : wait_in_line : hold, NULL);
	for (int i = 0; i < 2 + HOGS; i++)
		pthread_join(threads[i], NULL);
	printf("%llu %llu\n", (unsigned long long)waited, (unsigned long long)queued);
	return 0;
}
