// SPDX-License-Identifier: BSD-2-Clause
/* sleepers THREADS: idle threads; some wait for ever, some look up now and then. */
#include <pthread.h>

#include "inject.h"

static void *doze(void *arg)
{
	uintptr_t i = (uintptr_t)arg;

	if (i % 4)
		pause();
	while (i < UINTPTR_MAX)
		sleep_ns((100 + i % 900) * 1000000u);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned threads = argument(argc, argv, 1, 300);

	die_with_parent();
	for (uintptr_t i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, doze, (void *)i))
			return 1;
	}
	pause();
	return 0;
}
