// SPDX-License-Identifier: BSD-2-Clause
/* loopserver LONG-MS EVERY-MS [WORK-US [CLIENTS [sleep | sync]]]: one thread serves all clients from one epoll loop; now and
 * then one callback takes long: it computes, or blocks. With LONG-MS 0 none does. */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "inject.h"

static bool tell; /* when a callback took long, how many nanoseconds, and how many of them in line for a CPU */
static unsigned long_ms;
static const char *how;

__attribute__((noinline)) static uint64_t rank_players(uint64_t seed)
{
	uint64_t queued = tell ? thread_queued_ns() : 0, start = now_ns(), end = start + long_ms * 1000000ull, took;

	if (!strcmp(how, "sleep"))
		sleep_ns(long_ms * 1000000ull);
	while (now_ns() < end)
		seed = work(1000, seed);
	took = now_ns() - start;
	if (tell)
		printf("%llu %llu %llu\n", (unsigned long long)start, (unsigned long long)took, (unsigned long long)(thread_queued_ns() - queued));
	return seed + 1;
}

__attribute__((noinline)) static uint64_t save_scores(uint64_t seed)
{
	static int fd = -1;
	uint64_t end = now_ns() + long_ms * 1000000ull;

	if (fd < 0 && (fd = open(".", O_TMPFILE | O_RDWR, 0600)) < 0)
		return seed;
	while (now_ns() < end)
		if (pwrite(fd, &seed, sizeof(seed), (off_t)(seed++ % 4096 * 4096)) < 0 || fdatasync(fd))
			break;
	return seed + 2;
}

static void chat(void *arg)
{
	int fd = *(int *)arg;
	uint64_t line = 1;

	for (;;) {
		if (write(fd, &line, sizeof(line)) != sizeof(line) || read(fd, &line, sizeof(line)) != sizeof(line))
			return;
		sleep_ns(1000000);
	}
}

static void add(int epoll, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static void answer(int fd, unsigned work_us)
{
	uint64_t line;

	if (read(fd, &line, sizeof(line)) != sizeof(line))
		return;
	line = work(work_us * 400, line);
	if (write(fd, &line, sizeof(line)) != sizeof(line))
		exit(1);
}

int main(int argc, char **argv)
{
	unsigned every_ms = argument(argc, argv, 2, 300), work_us = argument(argc, argv, 3, 50), clients = argument(argc, argv, 4, 3);
	int epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec every = {.it_interval = {every_ms / 1000, every_ms % 1000 * 1000000}};
	struct epoll_event events[16];
	uint64_t count, seed = 1;

	long_ms = argument(argc, argv, 1, 100);
	how = argc > 5 ? argv[5] : "";
	tell = getenv("TELL");
	setlinebuf(stdout);
	die_with_parent();
	prctl(PR_SET_NAME, "gameserver");
	for (unsigned i = 0; i < clients; i++) {
		int *fds = calloc(2, sizeof(*fds));

		if (!fds || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
			return 1;
		spawn("player", chat, &fds[1]);
		add(epoll, fds[0]);
	}
	every.it_value = every.it_interval;
	timerfd_settime(timer, 0, &every, NULL);
	add(epoll, timer);
	for (;;) {
		int n = epoll_wait(epoll, events, 16, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd != timer)
				answer(events[i].data.fd, work_us);
			else if (read(timer, &count, sizeof(count)) == sizeof(count) && long_ms)
				seed = strcmp(how, "sync") ? rank_players(seed) : save_scores(seed);
		}
	}
}
