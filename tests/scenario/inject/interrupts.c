// SPDX-License-Identifier: BSD-2-Clause
/* interrupts datagrams RATE SENDERS: datagrams to a port of this machine, so many a second each (0: as fast as can be), which
 * are received in soft interrupts; interrupts timers RATE COUNT: so many timers that each expire so often. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "inject.h"

static unsigned rate;
static struct sockaddr_in there;

__attribute__((noinline)) static void report_reading(int fd)
{
	char reading[64] = {0};

	sendto(fd, reading, sizeof(reading), 0, (struct sockaddr *)&there, sizeof(there));
}

static void send_readings(void *arg)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (uint64_t next = now_ns();;) {
		for (int i = 0; i < 50; i++)
			report_reading(fd);
		if (!rate)
			continue;
		next += 50 * (uint64_t)1000000000u / rate;
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

	there = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)); /* all are read, sooner or later */
	if (bind(fd, (struct sockaddr *)&there, size) < 0 || getsockname(fd, (struct sockaddr *)&there, &size) < 0)
		return 1;
	for (unsigned i = 0; i < senders; i++)
		spawn("sensor", send_readings, NULL);
	prctl(PR_SET_NAME, "collector");
	while (recv(fd, reading, sizeof(reading), 0) > 0)
		;
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
