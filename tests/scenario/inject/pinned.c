// SPDX-License-Identifier: BSD-2-Clause
/* pinned THREADS PERCENT [CPU]: encoders that are bound to one CPU (the last one if none is given), each of which computes
 * for so much of every 20 ms, if it gets the CPU. */
#include <pthread.h>
#include <sched.h>

#include "inject.h"

static unsigned percent;

__attribute__((noinline)) static uint64_t encode_block(uint64_t seed, uint64_t ns)
{
	uint64_t until = thread_cpu_ns() + ns;

	while (thread_cpu_ns() < until)
		seed = work(1000, seed);
	return seed + 1;
}

static void *encode(void *arg)
{
	const uint64_t period = 20000000;

	for (uint64_t seed = 1, next = now_ns();;) {
		seed = encode_block(seed, period / 100 * percent);
		next += period;
		uint64_t now = now_ns();
		if (next > now)
			sleep_ns(next - now);
		else
			next = now;
	}
	return arg;
}

int main(int argc, char **argv)
{
	unsigned threads = argument(argc, argv, 1, 3);
	cpu_set_t cpus;

	percent = argument(argc, argv, 2, 100);
	CPU_ZERO(&cpus);
	CPU_SET(argument(argc, argv, 3, (unsigned)sysconf(_SC_NPROCESSORS_ONLN) - 1), &cpus);
	die_with_parent();
	prctl(PR_SET_NAME, "encoder");
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		return 1;
	for (unsigned i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, encode, NULL))
			return 1;
	}
	pause();
	return 0;
}
