// SPDX-License-Identifier: BSD-2-Clause
/* storekeepers THREADS HOLD-US REST-US [FILE]: threads that take one lock for each order, keep it while they compute, or
 * while they write an order to FILE and wait until the disk has it, and then work for REST-US without it. */
#include <fcntl.h>
#include <pthread.h>

#include "inject.h"

static pthread_mutex_t inventory_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned hold_us, rest_us;
static int fd = -1;

__attribute__((noinline)) static uint64_t update_stock(uint64_t seed)
{
	uint64_t until = thread_cpu_ns() + hold_us * 1000u;

	while (thread_cpu_ns() < until)
		seed = work(1000, seed);
	return seed + 1;
}

__attribute__((noinline)) static int commit_order(void)
{
	static char order[1 << 20];

	return pwrite(fd, order, sizeof(order), 0) < 0 || fsync(fd) < 0 ? -1 : 0;
}

__attribute__((noinline)) static uint64_t reserve_item(uint64_t seed)
{
	pthread_mutex_lock(&inventory_lock);
	seed = update_stock(seed);
	if (fd >= 0 && commit_order())
		_exit(1);
	pthread_mutex_unlock(&inventory_lock);
	return seed + 2;
}

static void *take_orders(void *arg)
{
	for (uint64_t seed = (uintptr_t)arg;;) {
		uint64_t until = thread_cpu_ns() + rest_us * 1000u;

		seed = reserve_item(seed);
		while (thread_cpu_ns() < until)
			seed = work(1000, seed);
		sleep_ns(20000);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned threads = argument(argc, argv, 1, 4);

	hold_us = argument(argc, argv, 2, 1000);
	rest_us = argument(argc, argv, 3, 300);
	die_with_parent();
	prctl(PR_SET_NAME, "storekeeper");
	if (argc > 4) {
		fd = open(argv[4], O_RDWR | O_CREAT, 0600);
		if (fd < 0 || unlink(argv[4]))
			return 1;
	}
	for (uintptr_t i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, take_orders, (void *)i))
			return 1;
	}
	pause();
	return 0;
}
