// SPDX-License-Identifier: BSD-2-Clause
/* tcpfault KIND [IPV6]: TCP on the loopback interface that goes wrong in one way, or (its healthy twin) goes well.
 *   slow-reader | fast-reader      a feeder writes without end; the archiver reads 64 KiB ten times a second, or all
 *   full-queue | busy-queue        visitors come faster than the gatekeeper accepts; or it accepts them at once
 *   long-queue                     the same, with room for all of them
 *   refused | answered             a poller connects twenty times a second to a port that nobody has; or somebody has
 *   small-writes | whole-writes    each request is written in two pieces and waits for its answer; or in one
 *   crowd-writes                   the same in pieces, over ten connections of one process
 *   crowd-reader                   ten feeders, and one archiver that reads from one after the other
 *   stuck                          six visitors wait for a gatekeeper with room for five that accepts nobody
 *   impatient                      a poller gives each connect up after 300 ms, before a full queue has let it in
 *   hurried                        a poller that opens one connection after the other, which are accepted at once
 *   mistaken                       a poller that finds nobody now and then
 *   keep-alive                     a hundred connections that say nothing */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "inject.h"

enum { CROWD = 10 };

struct plan {
	struct sockaddr_storage address;
	socklen_t length;
	int listener;
	unsigned good, ipv6;
};

static int listen_at(struct plan *p, int backlog)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&p->address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&p->address;

	if (p->ipv6)
		*v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	else
		*v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	p->length = p->ipv6 ? sizeof(*v6) : sizeof(*v4);
	p->listener = socket(p->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->listener < 0 || bind(p->listener, (struct sockaddr *)&p->address, p->length) < 0 ||
	    getsockname(p->listener, (struct sockaddr *)&p->address, &p->length) < 0)
		return -1;
	return backlog ? listen(p->listener, backlog) : 0;
}

static int dial(const struct plan *p)
{
	int fd = socket(p->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&p->address, p->length) == 0)
		return fd;
	close(fd);
	return -1;
}

static void feed(void *arg)
{
	static char data[1 << 16];
	struct plan *p = arg;
	int fd = dial(p);

	while (fd >= 0 && write(fd, data, sizeof(data)) > 0)
		if (p->good)
			sleep_ns(2000000);
}

__attribute__((noinline)) static void ponder(void)
{
	sleep_ns(100000000);
}

static void archive(void *arg)
{
	static char data[1 << 16];
	struct plan *p = arg;
	int fd = accept(p->listener, NULL, NULL);

	while (read(fd, data, sizeof(data)) > 0)
		if (!p->good)
			ponder();
}

static void visit(void *arg)
{
	struct plan *p = arg;

	close(p->listener);
	for (;;) {
		int fd = socket(p->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		connect(fd, (struct sockaddr *)&p->address, p->length);
		sleep_ns(20000000);
		close(fd);
	}
}

static void keep_gate(void *arg)
{
	struct plan *p = arg;

	for (;;) {
		close(accept(p->listener, NULL, NULL));
		if (!p->good)
			sleep_ns(300000000);
	}
}

static void poll_service(void *arg)
{
	struct plan *p = arg;

	for (;;) {
		close(dial(p));
		sleep_ns(50000000);
	}
}

__attribute__((noinline)) static void send_request(int fd, unsigned good)
{
	char request[64] = {0};

	if (good) {
		write(fd, request, sizeof(request));
		return;
	}
	write(fd, request, 8);
	write(fd, request, sizeof(request) - 8);
}

static void poll_hurriedly(void *arg)
{
	struct plan *p = arg;

	for (;;) {
		close(dial(p));
		sleep_ns(1000000);
	}
}

static void poll_in_vain(void *arg)
{
	struct plan *p = arg;

	for (;;) {
		close(dial(p));
		sleep_ns(3000000000);
	}
}

static void ask(void *arg)
{
	struct plan *p = arg;
	char answer[16];
	int fd = dial(p);

	do {
		send_request(fd, p->good);
		if (p->good)
			sleep_ns(1000000);
	} while (recv(fd, answer, sizeof(answer), MSG_WAITALL) > 0);
}

static void answer(void *arg)
{
	struct plan *p = arg;
	char request[64];
	int fd = accept(p->listener, NULL, NULL);

	while (recv(fd, request, sizeof(request), MSG_WAITALL) > 0)
		write(fd, request, 16);
}

static void crowd(void (*one)(void *), void *arg)
{
	pthread_t thread;

	for (int i = 0; i < CROWD; i++)
		pthread_create(&thread, NULL, (void *(*)(void *))(void *)one, arg);
	pause();
}

static void crowd_asks(void *arg)
{
	crowd(ask, arg);
}

static void crowd_answers(void *arg)
{
	crowd(answer, arg);
}

static void crowd_feeds(void *arg)
{
	crowd(feed, arg);
}

static void read_in_turn(void *arg)
{
	static char data[1 << 16];
	struct plan *p = arg;
	int fds[CROWD];

	for (int i = 0; i < CROWD; i++)
		fds[i] = accept(p->listener, NULL, NULL);
	for (unsigned i = 0; read(fds[i % CROWD], data, sizeof(data)) > 0; i++)
		ponder();
}

static void crowd_visits(void *arg)
{
	struct plan *p = arg;

	for (int i = 0; i < 6; i++)
		dial(p);
	pause();
}

static void accept_nobody(void *arg)
{
	(void)arg;
	for (;;)
		ponder();
}

static void lose_patience(void *arg)
{
	struct plan *p = arg;

	for (int i = 0; i < 6; i++)
		dial(p);
	for (;;) {
		int fd = socket(p->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		connect(fd, (struct sockaddr *)&p->address, p->length);
		sleep_ns(300000000);
		close(fd);
	}
}

static void keep_alive(void *arg)
{
	struct plan *p = arg;

	for (int i = 0; i < 100; i++)
		dial(p);
	pause();
}

static void hold(void *arg)
{
	struct plan *p = arg;

	for (;;)
		accept(p->listener, NULL, NULL);
}

static const struct kind {
	const char *name, *server_name, *client_name;
	void (*server)(void *), (*client)(void *);
	unsigned good, backlog;
} kinds[] = {
	{"slow-reader", "archiver", "feeder", archive, feed, 0, 16},
	{"fast-reader", "archiver", "feeder", archive, feed, 1, 16},
	{"full-queue", "gatekeeper", "visitor", keep_gate, visit, 0, 4},
	{"busy-queue", "gatekeeper", "visitor", keep_gate, visit, 1, 4},
	{"long-queue", "gatekeeper", "visitor", keep_gate, visit, 0, 1024},
	{"refused", NULL, "poller", NULL, poll_service, 0, 0},
	{"answered", "gatekeeper", "poller", keep_gate, poll_service, 1, 64},
	{"small-writes", "clerk", "customer", answer, ask, 0, 16},
	{"whole-writes", "clerk", "customer", answer, ask, 1, 16},
	{"crowd-writes", "clerk", "customer", crowd_answers, crowd_asks, 0, 16},
	{"crowd-reader", "archiver", "feeder", read_in_turn, crowd_feeds, 0, 16},
	{"stuck", "gatekeeper", "visitor", accept_nobody, crowd_visits, 0, 5},
	{"impatient", "gatekeeper", "poller", accept_nobody, lose_patience, 0, 5},
	{"hurried", "gatekeeper", "poller", keep_gate, poll_hurriedly, 1, 64},
	{"mistaken", NULL, "poller", NULL, poll_in_vain, 1, 0},
	{"keep-alive", "clerk", "customer", hold, keep_alive, 1, 128},
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	die_with_parent();
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *k = &kinds[i];
		struct plan plan = {.good = k->good, .ipv6 = argument(argc, argv, 2, 0)};

		if (strcmp(name, k->name))
			continue;
		if (listen_at(&plan, (int)k->backlog) < 0)
			return 1;
		if (k->server)
			spawn(k->server_name, k->server, &plan);
		spawn(k->client_name, k->client, &plan);
		close(plan.listener);
		pause();
	}
	fprintf(stderr, "usage: tcpfault KIND [IPV6]\n");
	return 2;
}
