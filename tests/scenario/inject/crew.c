// SPDX-License-Identifier: BSD-2-Clause
/* crew JOBS [MS]: what a parallel build does: so many processes at a time, each computing for about MS, and a parent that
 * starts the next when one ends. */
#include <sys/wait.h>

#include "inject.h"

static void compile(void *arg)
{
	unsigned ms = *(unsigned *)arg;
	uint64_t until = thread_cpu_ns() +
			 (uint64_t)(ms / 2 + (unsigned)getpid() % 97 * ms / 97) * 1000000u,
		 seed = 1;

	while (thread_cpu_ns() < until)
		seed = work(10000, seed);
}

int main(int argc, char **argv)
{
	unsigned jobs = argument(argc, argv, 1, 2), ms = argument(argc, argv, 2, 200);

	die_with_parent();
	for (unsigned running = 0;; running--) {
		for (; running < jobs; running++)
			spawn("compile", compile, &ms);
		if (wait(NULL) < 0)
			return 1;
	}
}
