// SPDX-License-Identifier: BSD-2-Clause
/* datagrams GAP_US PAUSE_US [BYTES] [IPV6]: a sender of datagrams on the loopback interface, one each GAP_US, and a collector
 * that works for PAUSE_US on each before it takes the next from its small buffer. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "inject.h"

enum { ROOM = 65536, SENDS_AT_ONCE = 10 };

struct plan {
	unsigned gap_us, pause_us, bytes;
	int socket;
	struct sockaddr_storage address;
	socklen_t length;
};

static int bind_somewhere(struct plan *p, unsigned ipv6)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&p->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&p->address;
	int room = ROOM;

	if (ipv6)
		*v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	else
		*v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	p->length = ipv6 ? sizeof(*v6) : sizeof(*v4);
	p->socket = socket(p->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(p->socket, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return bind(p->socket, (struct sockaddr *)&p->address, p->length) ||
	       getsockname(p->socket, (struct sockaddr *)&p->address, &p->length);
}

static void emit(void *arg)
{
	static char data[1 << 14];
	const struct plan *p = arg;
	int fd;

	close(p->socket);
	fd = socket(p->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (;;) {
		for (int i = 0; i < SENDS_AT_ONCE; i++)
			sendto(fd, data, p->bytes, 0, (const struct sockaddr *)&p->address, p->length);
		sleep_ns(1000ull * p->gap_us * SENDS_AT_ONCE);
	}
}

__attribute__((noinline)) static void digest(unsigned us)
{
	sleep_ns(1000ull * us);
}

static void collect(void *arg)
{
	static char data[1 << 14];
	const struct plan *p = arg;

	while (recv(p->socket, data, sizeof(data), 0) > 0)
		if (p->pause_us)
			digest(p->pause_us);
}

int main(int argc, char **argv)
{
	struct plan p = {.gap_us = argument(argc, argv, 1, 1000), .pause_us = argument(argc, argv, 2, 3000),
			 .bytes = argument(argc, argv, 3, 200)};

	die_with_parent();
	if (bind_somewhere(&p, argument(argc, argv, 4, 0))) {
		perror("datagrams: bind");
		return 1;
	}
	spawn("collector", collect, &p);
	spawn("agent", emit, &p);
	close(p.socket);
	pause();
	return 0;
}
