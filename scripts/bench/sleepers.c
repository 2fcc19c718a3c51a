// SPDX-License-Identifier: BSD-2-Clause
/* sleepers THREADS MS FILE: so many threads that do nothing but sleep so long each time; the file says how often one woke. They begin
 * when all are there: beside so many that wake up a thread is not soon made. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "count.h"

static uint64_t *count;
static struct timespec length;
static pthread_rwlock_t all_there = PTHREAD_RWLOCK_INITIALIZER;

static void *sleeper(void *arg)
{
	pthread_rwlock_rdlock(&all_there);
	for (;;) {
		nanosleep(&length, NULL);
		__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc == 4 ? atol(argv[1]) : 0, ms = argc == 4 ? atol(argv[2]) : 0;
	pthread_attr_t attributes;
	pthread_t thread;

	if (!threads)
		return 2;
	length = (struct timespec){ms / 1000, ms % 1000 * 1000000};
	count = shared_count(argv[3]);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	pthread_rwlock_wrlock(&all_there);
	for (long i = 0; i < threads; i++)
		if (pthread_create(&thread, &attributes, sleeper, NULL))
			return 1;
	pthread_rwlock_unlock(&all_there);
	pause();
}
