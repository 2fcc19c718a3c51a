// SPDX-License-Identifier: BSD-2-Clause
/* hotserver WORKERS [HOT-PERCENT]: a service with so many workers, each with a client that always waits for its
 * answer; price_basket() takes that share of each request, and three other functions the rest. */
#include <pthread.h>
#include <sys/socket.h>

#include "inject.h"

static unsigned hot_percent;

__attribute__((noinline)) static uint64_t parse_request(uint64_t seed, uint64_t rounds)
{
	return work(rounds, seed) + 1;
}

__attribute__((noinline)) static uint64_t look_up_user(uint64_t seed, uint64_t rounds)
{
	return work(rounds, seed) + 2;
}

__attribute__((noinline)) static uint64_t price_basket(uint64_t seed, uint64_t rounds)
{
	return work(rounds, seed) + 3;
}

__attribute__((noinline)) static uint64_t write_answer(uint64_t seed, uint64_t rounds)
{
	return work(rounds, seed) + 4;
}

__attribute__((noinline)) static uint64_t handle_request(uint64_t seed)
{
	const uint64_t percent = 20000, rest = (100 - hot_percent) * percent / 3;

	seed = parse_request(seed, rest);
	seed = look_up_user(seed, rest);
	seed = price_basket(seed, hot_percent * percent);
	return write_answer(seed, rest) + 5;
}

static void *worker(void *arg)
{
	int fd = *(int *)arg;
	uint64_t request;

	while (read(fd, &request, sizeof(request)) == sizeof(request)) {
		request = handle_request(request);
		if (write(fd, &request, sizeof(request)) != sizeof(request))
			break;
	}
	return NULL;
}

static void ask(void *arg)
{
	int fd = *(int *)arg;
	uint64_t request = 1;

	while (write(fd, &request, sizeof(request)) == sizeof(request) &&
	       read(fd, &request, sizeof(request)) == sizeof(request))
		;
}

int main(int argc, char **argv)
{
	unsigned workers = argument(argc, argv, 1, 2);

	hot_percent = argument(argc, argv, 2, 70);
	die_with_parent();
	prctl(PR_SET_NAME, "hotserver"); /* however the file is called */
	for (unsigned i = 0; i < workers; i++) {
		int *fds = calloc(2, sizeof(*fds));
		pthread_t thread;

		if (!fds || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 ||
		    pthread_create(&thread, NULL, worker, &fds[0]))
			return 1;
		spawn("buyer", ask, &fds[1]);
	}
	pause();
	return 0;
}
