// SPDX-License-Identifier: BSD-2-Clause
/* turns THREADS TURN-US: threads that compute one at a time, each for its turn, and hand it to the next, as under an
 * interpreter's global lock. */
#include <pthread.h>
#include <semaphore.h>

#include "inject.h"

static unsigned threads, turn_us;
static sem_t turns[64];

__attribute__((noinline)) static uint64_t interpret(uint64_t seed)
{
	uint64_t until = thread_cpu_ns() + turn_us * 1000u;

	while (thread_cpu_ns() < until)
		seed = work(1000, seed);
	return seed + 1;
}

static void *take_turns(void *arg)
{
	uintptr_t i = (uintptr_t)arg;

	for (uint64_t seed = 1;;) {
		while (sem_wait(&turns[i]))
			;
		seed = interpret(seed);
		sem_post(&turns[(i + 1) % threads]);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	threads = argument(argc, argv, 1, 4) % 64;
	turn_us = argument(argc, argv, 2, 1000);
	die_with_parent();
	prctl(PR_SET_NAME, "interpreter");
	for (uintptr_t i = 0; i < threads; i++) {
		pthread_t thread;

		if (sem_init(&turns[i], 0, i == 0) || pthread_create(&thread, NULL, take_turns, (void *)i))
			return 1;
	}
	pause();
	return 0;
}
