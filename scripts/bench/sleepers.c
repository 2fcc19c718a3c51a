// SPDX-License-Identifier: BSD-2-Clause
/* sleepers THREADS MS FILE: so many threads that do nothing but sleep so long each time; the file says how often one woke. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "count.h"

static uint64_t *count;
static struct timespec length;

static void *sleeper(void *arg)
{
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
	for (long i = 0; i < threads; i++)
		if (pthread_create(&thread, &attributes, sleeper, NULL))
			return 1;
	pause();
}
