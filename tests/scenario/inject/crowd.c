// SPDX-License-Identifier: BSD-2-Clause
/* crowd HOGS [REQUESTS-PER-SECOND [WORK-US]]: processes that only compute beside a service with a
 * client; the service needs little CPU and needs it at once. */
#include <sys/socket.h>

#include "inject.h"

struct service {
	int fds[2];
	unsigned rate, work_us;
};

static void hog(void *arg)
{
	for (uint64_t seed = 1;;)
		seed = work(1000000, seed);
}

static void serve(void *arg)
{
	struct service *s = arg;
	char byte;

	while (read(s->fds[0], &byte, 1) == 1) {
		uint64_t until = thread_cpu_ns() + s->work_us * 1000u, seed = 1;

		while (thread_cpu_ns() < until)
			seed = work(1000, seed);
		if (write(s->fds[0], &byte, 1) != 1)
			return;
	}
}

static void ask(void *arg)
{
	struct service *s = arg;
	char byte = 0;

	while (write(s->fds[1], &byte, 1) == 1 && read(s->fds[1], &byte, 1) == 1)
		sleep_ns(1000000000u / s->rate);
}

int main(int argc, char **argv)
{
	unsigned hogs = argument(argc, argv, 1, 6);
	struct service s = {.rate = argument(argc, argv, 2, 200),
			    .work_us = argument(argc, argv, 3, 500)};

	die_with_parent();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s.fds) < 0)
		return 1;
	spawn("frontdesk", serve, &s);
	spawn("visitor", ask, &s);
	for (unsigned i = 0; i < hogs; i++)
		spawn("numbercruncher", hog, NULL);
	pause();
	return 0;
}
