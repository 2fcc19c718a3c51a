// SPDX-License-Identifier: BSD-2-Clause
/* requests RATE WORK-US [CLIENTS]: clients ask a service so many times a second each; it has time to spare. */
#include <sys/socket.h>

#include "inject.h"

struct pair {
	int fds[2];
	unsigned rate, work_us;
};

static void serve(void *arg)
{
	struct pair *p = arg;
	char byte;

	while (read(p->fds[0], &byte, 1) == 1) {
		uint64_t until = thread_cpu_ns() + p->work_us * 1000u, seed = 1;

		while (thread_cpu_ns() < until)
			seed = work(1000, seed);
		if (write(p->fds[0], &byte, 1) != 1)
			return;
	}
}

static void ask(void *arg)
{
	struct pair *p = arg;
	char byte = 0;

	for (uint64_t next = now_ns();;) {
		if (write(p->fds[1], &byte, 1) != 1 || read(p->fds[1], &byte, 1) != 1)
			return;
		next += 1000000000u / p->rate;
		uint64_t now = now_ns();
		if (next > now)
			sleep_ns(next - now);
	}
}

int main(int argc, char **argv)
{
	unsigned clients = argument(argc, argv, 3, 2);

	die_with_parent();
	for (unsigned i = 0; i < clients; i++) {
		struct pair *p = malloc(sizeof(*p));

		*p = (struct pair){.rate = argument(argc, argv, 1, 100), .work_us = argument(argc, argv, 2, 1000)};
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, p->fds) < 0)
			return 1;
		spawn("shop", serve, p);
		spawn("customer", ask, p);
	}
	pause();
	return 0;
}
