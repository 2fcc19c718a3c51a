// SPDX-License-Identifier: BSD-2-Clause
/* interrupts datagrams RATE SENDERS: datagrams to a port of this machine, so many a second each (0: as fast as can be), which
 * are received in soft interrupts; interrupts timers RATE COUNT: so many timers that each expire so often. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "inject.h"

enum { BATCH = 50 };

static unsigned rate;
static struct sockaddr_in there;

/* In one call, so that it is not the calls that take the CPU where those are dear. */
__attribute__((noinline)) static void report_readings(int fd)
{
	static struct iovec reading = {.iov_base = "a reading of some sixty characters, as many a sensor sends it ..", .iov_len = 64};
	struct mmsghdr all[BATCH];

	for (int i = 0; i < BATCH; i++)
		all[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &there, .msg_namelen = sizeof(there), .msg_iov = &reading, .msg_iovlen = 1}};
	sendmmsg(fd, all, BATCH, 0);
}

static void send_readings(void *arg)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (uint64_t next = now_ns();;) {
		report_readings(fd);
		if (!rate)
			continue;
		next += BATCH * (uint64_t)1000000000u / rate;
		uint64_t now = now_ns();
		if (next > now)
			sleep_ns(next - now);
	}
}

static int datagrams(unsigned senders)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 64 << 20;
	socklen_t size = sizeof(there);
	char reading[64];
	struct iovec place = {.iov_base = reading, .iov_len = sizeof(reading)};
	struct mmsghdr all[BATCH];

	there = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)); /* all are read, sooner or later */
	if (bind(fd, (struct sockaddr *)&there, size) < 0 || getsockname(fd, (struct sockaddr *)&there, &size) < 0)
		return 1;
	for (unsigned i = 0; i < senders; i++)
		spawn("sensor", send_readings, NULL);
	prctl(PR_SET_NAME, "collector");
	for (int i = 0; i < BATCH; i++)
		all[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &place, .msg_iovlen = 1}};
	for (int got; (got = recvmmsg(fd, all, BATCH, MSG_WAITFORONE, NULL)) > 0;)
		if (got < BATCH)
			sleep_ns(1000000);
	return 1;
}

static void tick(int number)
{
	(void)number;
}

/* A job of arithmetic that its own timers interrupt. */
__attribute__((noinline)) static uint64_t tune(uint64_t seed)
{
	return work(100000, seed) + 1;
}

static int timers(unsigned count)
{
	const struct timespec interval = {.tv_nsec = 1000000000 / (long)(rate ? rate : 1)};

	prctl(PR_SET_NAME, "metronome");
	for (unsigned i = 0; i < count; i++) {
		struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + (int)(i % 16)};
		timer_t timer;

		signal(event.sigev_signo, tick);
		if (timer_create(CLOCK_MONOTONIC, &event, &timer) ||
		    timer_settime(timer, 0, &(struct itimerspec){.it_interval = interval, .it_value = interval}, NULL))
			return 1;
	}
	for (uint64_t seed = 1;;)
		seed = tune(seed);
}

int main(int argc, char **argv)
{
	unsigned count = argument(argc, argv, 3, 1);

	rate = argument(argc, argv, 2, 0);
	die_with_parent();
	return argc > 1 && !strcmp(argv[1], "timers") ? timers(count) : datagrams(count);
}
