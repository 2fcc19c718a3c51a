// SPDX-License-Identifier: BSD-2-Clause
/* known-load DISK: threads that each do one thing, and what they did, a line each: COMM KEY VALUE. */
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READS = 200, SECTOR = 4096, SLEEPS = 20, SLEEP_MS = 20, SPIN_MS = 800, HOLD_MS = 100, TURNS = 5, MESSAGES = 200, REQUESTS = 40,
       SERVE_MS = 10 };

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static const char *disk;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void rest(unsigned ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000l}, NULL);
}

static void tell(const char *key, uint64_t value)
{
	char comm[16];

	prctl(PR_GET_NAME, comm);
	printf("%s %s %llu\n", comm, key, (unsigned long long)value);
}

__attribute__((noinline)) static void spin_here(void)
{
	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < SPIN_MS * 1000000ull)
		;
}

static void *spinner(void *arg)
{
	prctl(PR_SET_NAME, "spinner");
	spin_here();
	tell("running", clock_ns(CLOCK_THREAD_CPUTIME_ID));
	return arg;
}

static void *sleeper(void *arg)
{
	prctl(PR_SET_NAME, "sleeper");
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < SLEEPS; i++)
		rest(SLEEP_MS);
	tell("sleep", clock_ns(CLOCK_MONOTONIC) - start);
	return arg;
}

static void *holder(void *arg)
{
	prctl(PR_SET_NAME, "holder");
	for (int i = 0; i < TURNS; i++) {
		pthread_mutex_lock(&gate);
		rest(HOLD_MS);
		pthread_mutex_unlock(&gate);
		rest(HOLD_MS / 2);
	}
	return arg;
}

static void *waiter(void *arg)
{
	uint64_t waited = 0;

	prctl(PR_SET_NAME, "waiter");
	for (int i = 0; i < TURNS; i++) {
		rest(HOLD_MS / 4);
		uint64_t start = clock_ns(CLOCK_MONOTONIC);
		pthread_mutex_lock(&gate);
		waited += clock_ns(CLOCK_MONOTONIC) - start;
		pthread_mutex_unlock(&gate);
	}
	tell("lock", waited);
	return arg;
}

static void *reader(void *arg)
{
	char *block = aligned_alloc(SECTOR, SECTOR);
	int fd = open(disk, O_RDONLY | O_DIRECT);
	uint64_t done = 0, start = clock_ns(CLOCK_MONOTONIC);

	prctl(PR_SET_NAME, "reader");
	for (int i = 0; fd >= 0 && i < READS; i++)
		done += pread(fd, block, SECTOR, (off_t)i * 10 * SECTOR) == SECTOR;
	if (fd >= 0) {
		tell("reads", done);
		tell("disk", clock_ns(CLOCK_MONOTONIC) - start);
	}
	return arg;
}

/* Both ends of a connection; false: there is none. */
static bool connected(int *ret_from, int *ret_to)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	*ret_from = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (void *)&a, sizeof(a)) || listen(listener, 1) || getsockname(listener, (void *)&a, &length) ||
	    connect(*ret_from, (void *)&a, sizeof(a)))
		return false;
	*ret_to = accept(listener, NULL, NULL);
	return *ret_to >= 0;
}

static void *talker(void *arg)
{
	char message[1000] = {0};
	uint64_t sent = 0;
	int from, to;

	prctl(PR_SET_NAME, "talker");
	if (!connected(&from, &to))
		return arg;
	for (int i = 0; i < MESSAGES; i++) {
		ssize_t n = write(from, message, sizeof(message));
		sent += n > 0 && recv(to, message, sizeof(message), MSG_WAITALL) == n ? (uint64_t)n : 0;
	}
	tell("sent", sent);
	/* It stays open over the end of a slice. */
	rest(1500);
	return arg;
}

static void *server(void *arg)
{
	const int *end = arg;
	uint64_t answered = 0, served = 0;
	char byte;

	prctl(PR_SET_NAME, "server");
	while (read(*end, &byte, 1) == 1) {
		uint64_t start = clock_ns(CLOCK_MONOTONIC);
		rest(SERVE_MS);
		served += clock_ns(CLOCK_MONOTONIC) - start;
		answered += write(*end, &byte, 1) == 1;
	}
	tell("requests", answered);
	tell("served", served);
	return NULL;
}

static void *asker(void *arg)
{
	uint64_t waited = 0;
	pthread_t other;
	char byte = 0;
	int ends[2];

	prctl(PR_SET_NAME, "asker");
	if (!connected(&ends[0], &ends[1]) || pthread_create(&other, NULL, server, &ends[1]))
		return arg;
	for (int i = 0; i < REQUESTS; i++) {
		uint64_t start = clock_ns(CLOCK_MONOTONIC);
		if (write(ends[0], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
			break;
		waited += clock_ns(CLOCK_MONOTONIC) - start;
		rest(SERVE_MS);
	}
	tell("asked", waited);
	close(ends[0]);
	pthread_join(other, NULL);
	return arg;
}

int main(int argc, char **argv)
{
	void *(*const all[])(void *) = {spinner, sleeper, holder, waiter, reader, talker, asker};
	enum { COUNT = sizeof(all) / sizeof(all[0]) };
	pthread_t threads[COUNT];

	disk = argc > 1 ? argv[1] : "/dev/null";
	for (int i = 0; i < COUNT; i++)
		if (pthread_create(&threads[i], NULL, all[i], NULL))
			return 1;
	for (int i = 0; i < COUNT; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
