// SPDX-License-Identifier: BSD-2-Clause
/* distant WORK DELAY_MS LOSS_PERMILLE [IPV6] [LATER_S]: a client and a server in network namespaces of their own, with a line
 * between them that takes that long each way and loses so many packets, from its beginning or some seconds later. WORK:
 *   ask        a request of 200 bytes, an answer of 2000, and again
 *   call       the same, each over a connection of its own
 *   upload     data without end
 *   report     a request now and then (twice a second)
 *   pass-on    as upload, by a client that listens for clients of its own
 *   log        lines now and then that nobody waits for, by a client that has a client of its own, which says little */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "inject.h"

enum { PORT = 7070, REQUEST = 200, ANSWER = 2000, ROOM = 4096, PACKET = 2048, UPLOAD = 'u' };

struct packet {
	uint64_t due_ns;
	ssize_t bytes;
	char data[PACKET];
};

/* One way of the line. */
struct way {
	int from, to;
	unsigned first, count;
	struct packet *packets;
};

struct plan {
	uint64_t delay_ns, lossless_until_ns, quick_until_ns;
	unsigned loss, ipv6;
	int listener;
	void (*ask)(const struct plan *);
};

static int configure(const char *name, unsigned host, unsigned ipv6)
{
	struct ifreq up = {.ifr_flags = IFF_UP | IFF_RUNNING}, address = {0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), fd6 = socket(AF_INET6, SOCK_DGRAM, 0), r;

	strcpy(up.ifr_name, name);
	strcpy(address.ifr_name, name);
	if (ipv6) {
		struct {
			struct in6_addr address;
			uint32_t prefix;
			int index;
		} request = {.prefix = 64};

		r = ioctl(fd, SIOCSIFFLAGS, &up) || ioctl(fd, SIOCGIFINDEX, &address);
		inet_pton(AF_INET6, host == 1 ? "fd77::1" : "fd77::2", &request.address);
		request.index = address.ifr_ifindex;
		r = r || ioctl(fd6, SIOCSIFADDR, &request);
	} else {
		struct sockaddr_in *a = (struct sockaddr_in *)&address.ifr_addr;

		*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a4d0000 + host)};
		r = ioctl(fd, SIOCSIFADDR, &address);
		a->sin_addr.s_addr = htonl(0xffffff00);
		r = r || ioctl(fd, SIOCSIFNETMASK, &address) || ioctl(fd, SIOCSIFFLAGS, &up);
	}
	close(fd);
	close(fd6);
	return r ? -1 : 0;
}

/* A namespace of its own, and the device that is its only way out. */
static int enter_namespace(unsigned host, unsigned ipv6)
{
	struct ifreq request = {.ifr_name = "wan0", .ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd;

	if (unshare(CLONE_NEWNET) || (fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0)
		return -1;
	return ioctl(fd, TUNSETIFF, &request) || configure("wan0", host, ipv6) ? -1 : fd;
}

static socklen_t server_address(const struct plan *p, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (!p->ipv6) {
		*v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(0x0a4d0001)};
		return sizeof(*v4);
	}
	*v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
	inet_pton(AF_INET6, "fd77::1", &v6->sin6_addr);
	return sizeof(*v6);
}

static int listen_at(const struct plan *p)
{
	struct sockaddr_storage address;
	socklen_t length = server_address(p, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* A moment passes until a new address of IPv6 can be used. */
	for (int i = 0; i < 200 && bind(fd, (struct sockaddr *)&address, length) < 0; i++)
		sleep_ns(10000000);
	return listen(fd, 64) == 0 ? fd : -1;
}

static int dial(const struct plan *p)
{
	struct sockaddr_storage address;
	socklen_t length = server_address(p, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, length) == 0)
		return fd;
	close(fd);
	sleep_ns(10000000);
	return -1;
}

/* False when the connection has broken. */
__attribute__((noinline)) static bool consult(int fd)
{
	char data[ANSWER] = {0};

	return write(fd, data, REQUEST) == REQUEST && recv(fd, data, ANSWER, MSG_WAITALL) == ANSWER;
}

static void keep_asking(const struct plan *p)
{
	int fd = dial(p);

	while (fd >= 0 && consult(fd))
		;
	close(fd);
}

static void call(const struct plan *p)
{
	int fd = dial(p);

	if (fd >= 0)
		consult(fd);
	close(fd);
}

static void upload(const struct plan *p)
{
	static char data[1 << 16] = {UPLOAD};
	int fd = dial(p);

	while (fd >= 0 && write(fd, data, sizeof(data)) > 0)
		;
	close(fd);
}

static void report(const struct plan *p)
{
	int fd = dial(p);

	while (fd >= 0 && consult(fd))
		sleep_ns(500000000);
	close(fd);
}

static void *let_in(void *listener)
{
	for (;;)
		close(accept((int)(intptr_t)listener, NULL, NULL));
	return NULL;
}

static void pass_on(const struct plan *p)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;

	if (listen(listener, 16) < 0 || pthread_create(&thread, NULL, let_in, (void *)(intptr_t)listener))
		_exit(1);
	upload(p);
}

static void *attend(void *listener)
{
	char request;
	int fd = accept((int)(intptr_t)listener, NULL, NULL);

	while (recv(fd, &request, 1, 0) == 1)
		;
	return NULL;
}

static int become_client(int listener)
{
	struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	struct sockaddr_in address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (ioctl(fd, SIOCSIFFLAGS, &up) || getsockname(listener, (struct sockaddr *)&address, &(socklen_t){sizeof(address)}) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)))
		_exit(1);
	return fd;
}

static void keep_log(const struct plan *p)
{
	char line[REQUEST] = {UPLOAD};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd = dial(p), own;
	pthread_t thread;

	if (listen(listener, 16) < 0 || pthread_create(&thread, NULL, attend, (void *)(intptr_t)listener))
		_exit(1);
	own = become_client(listener);
	for (;; sleep_ns(500000000)) {
		send(fd, line, sizeof(line), MSG_DONTWAIT);
		send(own, line, 1, 0);
	}
}

static void be_client(void *arg)
{
	const struct plan *p = arg;

	for (;;)
		p->ask(p);
}

static void serve(int fd)
{
	char data[1 << 16] = {0};

	recv(fd, data, 1, MSG_PEEK);
	if (*data == UPLOAD)
		while (read(fd, data, sizeof(data)) > 0)
			;
	while (recv(fd, data, REQUEST, MSG_WAITALL) == REQUEST && write(fd, data, ANSWER) == ANSWER)
		;
	close(fd);
}

static void be_server(void *arg)
{
	const struct plan *p = arg;

	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(p->listener, NULL, NULL);

		if (fork() == 0) {
			die_with_parent();
			serve(fd);
			_exit(0);
		}
		close(fd);
	}
}

static void take(struct way *w, const struct plan *p)
{
	static uint64_t seed = 1;

	while (w->count < ROOM) {
		struct packet *packet = &w->packets[(w->first + w->count) % ROOM];
		uint64_t now = now_ns();

		packet->bytes = read(w->from, packet->data, PACKET);
		if (packet->bytes <= 0)
			return;
		seed = work(1, seed);
		if (now >= p->lossless_until_ns && (seed >> 33) % 1000 < p->loss)
			continue;
		packet->due_ns = now + (now < p->quick_until_ns ? 0 : p->delay_ns);
		w->count++;
	}
}

/* Returns when the next packet is due. */
static uint64_t deliver(struct way *w)
{
	for (; w->count; w->count--, w->first = (w->first + 1) % ROOM) {
		struct packet *packet = &w->packets[w->first];

		if (packet->due_ns > now_ns())
			return packet->due_ns;
		if (write(w->to, packet->data, (size_t)packet->bytes) < 0 && errno != EINVAL && errno != EIO)
			return UINT64_MAX;
	}
	return UINT64_MAX;
}

static void carry(struct way ways[2], const struct plan *p)
{
	struct pollfd fds[] = {{.fd = ways[0].from, .events = POLLIN}, {.fd = ways[1].from, .events = POLLIN}};

	for (;;) {
		uint64_t due = UINT64_MAX;

		for (int i = 0; i < 2; i++) {
			take(&ways[i], p);
			uint64_t next = deliver(&ways[i]);

			due = next < due ? next : due;
		}
		uint64_t now = now_ns(), ns = due == UINT64_MAX ? 1000000000 : due > now ? due - now : 0;

		ppoll(fds, 2, &(struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)}, NULL);
	}
}

static const struct {
	const char *name;
	void (*ask)(const struct plan *);
} kinds[] = {{"ask", keep_asking}, {"call", call}, {"upload", upload}, {"report", report}, {"pass-on", pass_on}, {"log", keep_log}};

int main(int argc, char **argv)
{
	uint64_t later = now_ns() + 1000000000ull * argument(argc, argv, 5, 0);
	struct plan p = {.delay_ns = 1000000ull * argument(argc, argv, 2, 50), .loss = argument(argc, argv, 3, 0),
			 .ipv6 = argument(argc, argv, 4, 0), .lossless_until_ns = later, .quick_until_ns = later};
	struct way ways[2] = {0};

	die_with_parent();
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(argv[1], kinds[i].name))
			p.ask = kinds[i].ask;
	if (!p.ask) {
		fprintf(stderr, "usage: distant ask|call|upload|report|pass-on|log DELAY_MS LOSS_PERMILLE [IPV6] [LATER_S]\n");
		return 2;
	}
	for (int i = 0; i < 2; i++)
		ways[i].packets = calloc(ROOM, sizeof(struct packet));
	ways[0].from = ways[1].to = enter_namespace(1, p.ipv6);
	p.listener = listen_at(&p);
	if (ways[0].from < 0 || p.listener < 0) {
		perror("distant: make the server's namespace");
		return 1;
	}
	spawn("clerk", be_server, &p);
	close(p.listener);
	ways[1].from = ways[0].to = enter_namespace(2, p.ipv6);
	if (ways[1].from < 0) {
		perror("distant: make the client's namespace");
		return 1;
	}
	spawn("customer", be_client, &p);
	prctl(PR_SET_NAME, "carrier");
	carry(ways, &p);
	return 0;
}
