// SPDX-License-Identifier: BSD-2-Clause
/* turns THREADS TURN-US [FILES]: threads that compute one at a time, each for its turn, and hand it to the next, as under an
 * interpreter's global lock; by semaphores, or by eventfds. */
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>

#include "inject.h"

static unsigned threads, turn_us, by_files;
static sem_t turns[64];
static int files[64];

__attribute__((noinline)) static uint64_t interpret(uint64_t seed)
{
	uint64_t until = thread_cpu_ns() + turn_us * 1000u;

	while (thread_cpu_ns() < until)
		seed = work(1000, seed);
	return seed + 1;
}

static void await_turn(uintptr_t i)
{
	uint64_t one;

	if (by_files)
		read(files[i], &one, sizeof(one));
	else
		while (sem_wait(&turns[i]))
			;
}

static void give_turn(uintptr_t i)
{
	if (by_files)
		write(files[i], &(uint64_t){1}, sizeof(uint64_t));
	else
		sem_post(&turns[i]);
}

static void *take_turns(void *arg)
{
	uintptr_t i = (uintptr_t)arg;

	for (uint64_t seed = 1;;) {
		await_turn(i);
		seed = interpret(seed);
		give_turn((i + 1) % threads);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	threads = argument(argc, argv, 1, 4) % 64;
	turn_us = argument(argc, argv, 2, 1000);
	by_files = argument(argc, argv, 3, 0);
	die_with_parent();
	prctl(PR_SET_NAME, "interpreter");
	for (uintptr_t i = 0; i < threads; i++) {
		pthread_t thread;

		files[i] = eventfd(i == 0, EFD_CLOEXEC);
		if (sem_init(&turns[i], 0, i == 0) || pthread_create(&thread, NULL, take_turns, (void *)i))
			return 1;
	}
	pause();
	return 0;
}
