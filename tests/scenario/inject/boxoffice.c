// SPDX-License-Identifier: BSD-2-Clause
/* boxoffice WAY [MS [CLIENTS]]: visitors ask a box office for tickets, which it prints with four threads; after MS it stops.
 * WAY: printer (each thread waits for one that does not print), lock (one does, and the others for its lock), bank (another
 *   process does not answer), or healthy: patient (a visitor each waits long, for whom there is a thread each, and one more
 *   asks quickly), news (they tell something every three seconds and want no answer). */
#include <poll.h>
#include <pthread.h>

#include "inject.h"
#include "loopback.h"

enum { MOST = 64, CLERKS = 4 };

static struct sockaddr_in office, bank;
static const char *way;
static uint64_t stop_ns;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, printer = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static int queue[MOST], served[2], nothing[2];
static unsigned queued;

static bool is(const char *name)
{
	return !strcmp(way, name);
}

__attribute__((noinline)) static void print_ticket(int behind, bool patient)
{
	char byte;

	if (is("bank")) {
		put(behind);
		get(behind);
	} else if (is("lock")) {
		pthread_mutex_lock(&printer);
		if (now_ns() > stop_ns && read(nothing[0], &byte, 1) < 0)
			exit(1);
		pthread_mutex_unlock(&printer);
	} else if (is("printer") && now_ns() > stop_ns) {
		while (read(nothing[0], &byte, 1) < 0)
			;
	} else if (patient) {
		sleep_ns(5000000000);
	}
	__asm__ volatile("");
}

static void *clerk(void *arg)
{
	int behind = is("bank") ? connect_to(&bank) : -1;

	for (;;) {
		pthread_mutex_lock(&lock);
		while (!queued)
			pthread_cond_wait(&filled, &lock);
		int fd = queue[--queued];
		pthread_mutex_unlock(&lock);
		if (!get(fd))
			continue;
		print_ticket(behind, is("patient") && fd != *(int *)arg);
		if (!is("news"))
			put(fd);
		if (write(served[1], &fd, sizeof(fd)) != sizeof(fd))
			exit(1);
	}
	return NULL;
}

/* One thread looks who has asked for something, the others receive and answer it. */
static void sell(void *arg)
{
	struct pollfd fds[MOST + 2] = {{.fd = (int)(intptr_t)arg, .events = POLLIN}, {.events = POLLIN}};
	static int first;
	nfds_t count = 2;
	pthread_t t;

	if (pipe(served) || pipe(nothing))
		exit(1);
	fds[1].fd = served[0];
	for (int i = 0; i < (is("patient") ? MOST : CLERKS); i++)
		pthread_create(&t, NULL, clerk, &first);
	while (poll(fds, count, -1) > 0) {
		for (nfds_t i = 2; i < count; i++) {
			if (!fds[i].revents)
				continue;
			pthread_mutex_lock(&lock);
			queue[queued++] = fds[i].fd;
			pthread_mutex_unlock(&lock);
			pthread_cond_signal(&filled);
			fds[i].fd = ~fds[i].fd; /* until it is served */
		}
		if (fds[0].revents) {
			int fd = accept(fds[0].fd, NULL, NULL);

			first = first ? first : fd;
			fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
		}
		int fd;
		if (fds[1].revents && read(served[0], &fd, sizeof(fd)) == sizeof(fd))
			for (nfds_t i = 2; i < count; i++)
				fds[i].fd = fds[i].fd == ~fd ? fd : fds[i].fd;
	}
}

static void *account(void *arg)
{
	int fd = (int)(intptr_t)arg;

	while (get(fd)) {
		if (now_ns() > stop_ns)
			sleep_ns(1000000000000);
		put(fd);
	}
	return NULL;
}

static void keep_accounts(void *arg)
{
	pthread_t t;

	for (int fd; (fd = accept((int)(intptr_t)arg, NULL, NULL)) >= 0;)
		pthread_create(&t, NULL, account, (void *)(intptr_t)fd);
}

static void visit(void *arg)
{
	int fd = connect_to(arg);

	for (;;) {
		put(fd);
		if (!is("news") && !get(fd))
			return;
		sleep_ns(is("news") ? 3000000000 : 10000000);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	way = argv[1];
	stop_ns = now_ns() + argument(argc, argv, 2, 0) * 1000000ull;
	die_with_parent();
	spawn("bank", keep_accounts, (void *)(intptr_t)listen_at(&bank, 0, MOST));
	spawn("boxoffice", sell, (void *)(intptr_t)listen_at(&office, 0, MOST));
	for (unsigned i = 0; i < argument(argc, argv, 3, 6); i++)
		spawn("visitor", visit, &office);
	pause();
	return 0;
}
