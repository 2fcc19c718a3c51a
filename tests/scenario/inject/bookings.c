// SPDX-License-Identifier: BSD-2-Clause
/* bookings WORKERS CLIENTS MS THINK-MS HOW: a service whose dispatcher puts the clients' requests into a queue, from which
 * workers take them. For each a worker waits so long: for another process (remote), or on a clock (local). A client
 * asks again when it has its answer and has thought. */
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "inject.h"

enum { MOST_CLIENTS = 64 };

static unsigned client_count, think_ms, wait_ms;
static bool remote;
static int clients[MOST_CLIENTS];
static int queue[MOST_CLIENTS]; /* each client has one request at the most */
static unsigned first, last;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;

static void put_request(int client)
{
	pthread_mutex_lock(&lock);
	queue[last++ % MOST_CLIENTS] = client;
	pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
}

static int take_request(void)
{
	pthread_mutex_lock(&lock);
	while (first == last)
		pthread_cond_wait(&more, &lock);
	int client = queue[first++ % MOST_CLIENTS];
	pthread_mutex_unlock(&lock);
	return client;
}

__attribute__((noinline)) static uint64_t reserve_seat(int partner)
{
	uint64_t word = work(1000, (uint64_t)partner);

	if (!remote)
		sleep_ns(wait_ms * 1000000ull);
	else if (write(partner, &word, sizeof(word)) != sizeof(word) || read(partner, &word, sizeof(word)) != sizeof(word))
		exit(0);
	return word + 1;
}

static void answer_slowly(void *arg)
{
	int fd = *(int *)arg;
	uint64_t word;

	while (read(fd, &word, sizeof(word)) == sizeof(word)) {
		sleep_ns(wait_ms * 1000000ull);
		if (write(fd, &word, sizeof(word)) != sizeof(word))
			break;
	}
}

static void *serve(void *arg)
{
	int partner = *(int *)arg;

	prctl(PR_SET_NAME, "clerk");
	for (;;) {
		int client = take_request();
		uint64_t answer = reserve_seat(partner);

		if (write(client, &answer, sizeof(answer)) != sizeof(answer))
			return NULL;
	}
}

static void ask(void *arg)
{
	int fd = *(int *)arg;
	uint64_t word = 1;

	while (write(fd, &word, sizeof(word)) == sizeof(word) && read(fd, &word, sizeof(word)) == sizeof(word))
		if (think_ms)
			sleep_ns(think_ms * 1000000ull);
}

static void dispatch(void)
{
	struct pollfd fds[MOST_CLIENTS];
	uint64_t word;

	for (unsigned i = 0; i < client_count; i++)
		fds[i] = (struct pollfd){.fd = clients[i], .events = POLLIN};
	while (poll(fds, client_count, -1) > 0)
		for (unsigned i = 0; i < client_count; i++)
			if (fds[i].revents && read(fds[i].fd, &word, sizeof(word)) == sizeof(word))
				put_request(fds[i].fd);
}

int main(int argc, char **argv)
{
	unsigned workers = argument(argc, argv, 1, 3);
	static int ends[MOST_CLIENTS][2], partners[MOST_CLIENTS][2];
	pthread_t thread;

	client_count = argument(argc, argv, 2, 12);
	wait_ms = argument(argc, argv, 3, 30);
	think_ms = argument(argc, argv, 4, 0);
	remote = argc > 5 && !strcmp(argv[5], "remote");
	if (client_count > MOST_CLIENTS || workers > MOST_CLIENTS)
		return 2;
	die_with_parent();
	prctl(PR_SET_NAME, "bookings");
	for (unsigned i = 0; i < client_count; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]) < 0)
			return 1;
		clients[i] = ends[i][0];
	}
	for (unsigned i = 0; i < workers; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, partners[i]) < 0)
			return 1;
		if (remote)
			spawn("seatmap", answer_slowly, &partners[i][1]);
	}
	for (unsigned i = 0; i < client_count; i++)
		spawn("traveller", ask, &ends[i][1]);
	for (unsigned i = 0; i < workers; i++)
		if (pthread_create(&thread, NULL, serve, &partners[i][0]))
			return 1;
	dispatch();
	return 0;
}
