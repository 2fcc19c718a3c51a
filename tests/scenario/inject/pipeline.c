// SPDX-License-Identifier: BSD-2-Clause
/* pipeline [WORK-US [STAGE-THREADS]]: reader | compressor | writer. The stage in the middle computes for each item with
 * one thread; its other threads wait for that one, too. */
#include <pthread.h>
#include <semaphore.h>

#include "inject.h"

static unsigned work_us;
static int in[2], out[2];
static sem_t done;

static void produce(void *arg)
{
	char item[4096] = {1};

	while (write(in[1], item, sizeof(item)) == sizeof(item))
		;
}

static void consume(void *arg)
{
	char item[4096];

	while (read(out[0], item, sizeof(item)) > 0)
		;
}

__attribute__((noinline)) static uint64_t squeeze(uint64_t seed)
{
	uint64_t until = now_ns() + work_us * 1000u;

	while (now_ns() < until)
		seed = work(20000, seed);
	return seed;
}

static void *wait_for_items(void *arg)
{
	while (sem_wait(&done) == 0)
		;
	return NULL;
}

static void compress(void *arg)
{
	unsigned threads = *(unsigned *)arg;
	char item[4096];

	sem_init(&done, 0, 0);
	for (unsigned i = 1; i < threads; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, wait_for_items, NULL);
	}
	while (read(in[0], item, sizeof(item)) > 0) {
		item[0] = (char)squeeze((uint64_t)item[0]);
		for (unsigned i = 1; i < threads; i++)
			sem_post(&done);
		if (write(out[1], item, sizeof(item)) < 0)
			break;
	}
}

int main(int argc, char **argv)
{
	unsigned threads = argument(argc, argv, 2, 1);

	work_us = argument(argc, argv, 1, 5000);
	die_with_parent();
	if (pipe(in) < 0 || pipe(out) < 0)
		return 1;
	spawn("bookreader", produce, NULL);
	spawn("compressor", compress, &threads);
	spawn("bookwriter", consume, NULL);
	pause();
	return 0;
}
