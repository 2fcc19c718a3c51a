// SPDX-License-Identifier: BSD-2-Clause
/* workpool WORKERS RATE WORK-US: a dispatcher puts so many jobs a second into a queue behind a lock; the workers wait on a
 * condition variable for them, and spend most of their time there. */
#include <pthread.h>

#include "inject.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, drained = PTHREAD_COND_INITIALIZER;
static unsigned jobs, work_us;

static void *serve_jobs(void *arg)
{
	for (uint64_t seed = 1;;) {
		pthread_mutex_lock(&lock);
		while (!jobs)
			pthread_cond_wait(&filled, &lock);
		if (!--jobs)
			pthread_cond_signal(&drained);
		pthread_mutex_unlock(&lock);
		uint64_t until = thread_cpu_ns() + work_us * 1000u;
		while (thread_cpu_ns() < until)
			seed = work(1000, seed);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned workers = argument(argc, argv, 1, 8), rate = argument(argc, argv, 2, 500);

	work_us = argument(argc, argv, 3, 300);
	die_with_parent();
	prctl(PR_SET_NAME, "workpool");
	for (unsigned i = 0; i < workers; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, serve_jobs, NULL))
			return 1;
	}
	for (;; sleep_ns(1000000000u / rate)) {
		pthread_mutex_lock(&lock);
		while (jobs > 100)
			pthread_cond_wait(&drained, &lock);
		jobs++;
		pthread_cond_signal(&filled);
		pthread_mutex_unlock(&lock);
	}
}
