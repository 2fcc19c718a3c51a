// SPDX-License-Identifier: BSD-2-Clause
/* chain STYLE WORK AMOUNT [CLIENTS [PORT]]: shoppers ask a front desk, which asks a warehouse.
 * STYLE of the front desk: threads (one a connection), pool (a thread receives, others answer), loop (one thread for all), or
 *   direct (there is none: shoppers ask the warehouse at PORT)
 * WORK of the warehouse: sleep AMOUNT ms, compute AMOUNT ms, lock its shelves for AMOUNT ms of computing, or stream AMOUNT
 *   messages at a request. */
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>

#include "inject.h"
#include "loopback.h"

enum { MOST = 64, WORKERS = 8 };

static struct sockaddr_in desk, warehouse;
static const char *style, *job;
static unsigned amount;
static pthread_mutex_t shelves = PTHREAD_MUTEX_INITIALIZER;

static void compute(void)
{
	for (uint64_t until = thread_cpu_ns() + amount * 1000000ull; thread_cpu_ns() < until;)
		work(1000, 1);
}

__attribute__((noinline)) static void fetch_stock(int fd)
{
	if (!strcmp(job, "sleep")) {
		sleep_ns(amount * 1000000ull);
	} else if (!strcmp(job, "lock")) {
		pthread_mutex_lock(&shelves);
		compute();
		pthread_mutex_unlock(&shelves);
	} else if (!strcmp(job, "stream")) {
		for (unsigned i = 0; i < amount; i++) {
			put(fd);
			sleep_ns(2000000);
		}
	} else {
		compute();
	}
	__asm__ volatile("");
}

static void *keep_stock(void *arg)
{
	int fd = (int)(intptr_t)arg, one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (get(fd)) {
		fetch_stock(fd);
		put(fd);
	}
	return NULL;
}

static void *attend(void *arg)
{
	int fd = (int)(intptr_t)arg, behind = connect_to(&warehouse);

	while (get(fd)) {
		put(behind);
		get(behind);
		put(fd);
	}
	return NULL;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static int queue[MOST]; /* whose turn it is next: taken; the last in line: queued */
static unsigned queued, taken;

static void *attend_queue(void *arg)
{
	int behind = connect_to(&warehouse);

	for (;;) {
		pthread_mutex_lock(&lock);
		while (taken == queued)
			pthread_cond_wait(&filled, &lock);
		int fd = queue[taken++ % MOST];
		pthread_mutex_unlock(&lock);
		put(behind);
		get(behind);
		put(fd);
	}
	return arg;
}

/* One thread for all connections, which asks the warehouse or has the pool do so. */
static void attend_all(int listener, bool pool)
{
	struct pollfd fds[2 * MOST + 1] = {{.fd = listener, .events = POLLIN}};
	int other[2 * MOST + 1];
	nfds_t count = 1;
	pthread_t t;

	for (int i = 0; pool && i < WORKERS; i++)
		pthread_create(&t, NULL, attend_queue, NULL);
	while (poll(fds, count, -1) > 0) {
		for (nfds_t i = 1; i < count; i++) {
			if (!fds[i].revents || !get(fds[i].fd))
				continue;
			if (!pool) {
				put(other[i]);
				continue;
			}
			pthread_mutex_lock(&lock);
			queue[queued++ % MOST] = fds[i].fd;
			pthread_mutex_unlock(&lock);
			pthread_cond_signal(&filled);
		}
		if (!fds[0].revents)
			continue;
		int fd = accept(listener, NULL, NULL), behind = pool ? -1 : connect_to(&warehouse);
		fds[count] = (struct pollfd){.fd = fd, .events = POLLIN};
		other[count++] = behind;
		fds[count] = (struct pollfd){.fd = behind, .events = POLLIN};
		other[count++] = fd;
	}
}

static void serve_each(int listener, void *(*each)(void *fd))
{
	pthread_t t;

	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;)
		pthread_create(&t, NULL, each, (void *)(intptr_t)fd);
}

static void run_warehouse(void *arg)
{
	serve_each((int)(intptr_t)arg, keep_stock);
}

static void run_desk(void *arg)
{
	int listener = (int)(intptr_t)arg;

	if (!strcmp(style, "threads"))
		serve_each(listener, attend);
	else
		attend_all(listener, !strcmp(style, "pool"));
}

static void shop(void *arg)
{
	int fd = connect_to(arg);

	for (;;) {
		put(fd);
		ssize_t wanted = strcmp(job, "stream") ? 2 : 2 * (ssize_t)amount + 2, n;
		for (; wanted > 0; wanted -= n)
			if ((n = read_some(fd)) <= 0)
				return;
		sleep_ns(10000000);
	}
}

int main(int argc, char **argv)
{
	unsigned clients = argument(argc, argv, 4, 4);

	if (argc < 4)
		return 2;
	style = argv[1];
	job = argv[2];
	amount = argument(argc, argv, 3, 10);
	die_with_parent();
	bool direct = !strcmp(style, "direct");
	spawn("warehouse", run_warehouse, (void *)(intptr_t)listen_at(&warehouse, direct ? argument(argc, argv, 5, 0) : 0, MOST));
	if (!direct)
		spawn("frontdesk", run_desk, (void *)(intptr_t)listen_at(&desk, argument(argc, argv, 5, 0), MOST));
	for (unsigned i = 0; i < clients; i++)
		spawn("shopper", shop, direct ? &warehouse : &desk);
	pause();
	return 0;
}
