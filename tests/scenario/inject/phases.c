// SPDX-License-Identifier: BSD-2-Clause
/* phases WORKERS WORK-US [pool GAP-MS]: nothing is wrong with threads that are let go on together. They compute in
 * phases and wait at a barrier for the slowest of them; or wait for work that comes now and then for all of them. */
#include <pthread.h>

#include "inject.h"

static pthread_barrier_t barrier;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t come = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static unsigned long batch;
static unsigned busy, work_us;

static void compute(unsigned us)
{
	uint64_t end = thread_cpu_ns() + us * 1000ull, seed = 1;

	while (thread_cpu_ns() < end)
		seed = work(1000, seed);
}

static void *simulate(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	prctl(PR_SET_NAME, "cells");
	for (;;) {
		compute(work_us / 2 + (unsigned)rand_r(&seed) % work_us);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void *render(void *arg)
{
	unsigned long mine = 0;

	prctl(PR_SET_NAME, "tiles");
	for (;;) {
		pthread_mutex_lock(&lock);
		if (mine && !--busy)
			pthread_cond_signal(&done);
		while (batch == mine)
			pthread_cond_wait(&come, &lock);
		mine = batch;
		pthread_mutex_unlock(&lock);
		compute(work_us);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned workers = argument(argc, argv, 1, 2), gap_ms = argument(argc, argv, 4, 0);
	pthread_t thread;

	work_us = argument(argc, argv, 2, 20000);
	die_with_parent();
	prctl(PR_SET_NAME, "weathermap");
	pthread_barrier_init(&barrier, NULL, workers);
	for (unsigned i = 0; i < workers; i++)
		if (pthread_create(&thread, NULL, gap_ms ? render : simulate, (void *)(uintptr_t)(i + 1)))
			return 1;
	while (gap_ms) {
		sleep_ns(gap_ms * 1000000ull);
		pthread_mutex_lock(&lock);
		busy = workers;
		batch++;
		pthread_cond_broadcast(&come);
		while (busy)
			pthread_cond_wait(&done, &lock);
		pthread_mutex_unlock(&lock);
	}
	pause();
	return 0;
}
