// SPDX-License-Identifier: BSD-2-Clause
/* service MODE CLIENTS REQUESTS: clients that ask a server, each so many times. What they measured is printed: requests,
 * mean, p50, p90 and p99 in ns; and what the servers measured, in ns: all requests, those of the server behind, and of MODE parts
 * and pool the parts: cpu, peer, other.
 *   threads  a thread a connection; 5 ms, every fifth time 50 ms
 *   unix     the same on a Unix socket
 *   pool     one thread receives, four others take over, compute 1 ms, and take 5 ms more
 *   parts    computes 2 ms, sleeps 3 ms, asks another server that takes 4 ms
 *   loop     an event loop that asks that other server for all of its clients at once
 *   halves   clients send a request in two parts, 30 ms apart; the answer comes at once
 *   one-way  messages that want no answer, and at the end a request
 *   stream   one request, and then much that nobody has asked for
 *   hang     in the end, for 2.5 s: of each three clients one asks in vain, one is not even heard, and one does not want an answer */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64, WORKERS = 4 };

static uint64_t read_clock(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pass(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

static void compute(unsigned ms)
{
	uint64_t until = read_clock(CLOCK_THREAD_CPUTIME_ID) + ms * 1000000ull;

	while (read_clock(CLOCK_THREAD_CPUTIME_ID) < until)
		;
}

static struct sockaddr_storage addresses[2]; /* of the server, and of the one behind it */
static socklen_t lengths[2];

static int listen_at(int which, const char *path)
{
	struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM, 0);

	if (path)
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (bind(fd, path ? (void *)&un : (void *)&inet, path ? sizeof(un) : sizeof(inet)) || listen(fd, MOST)) {
		perror("listen");
		exit(1);
	}
	lengths[which] = sizeof(addresses[which]);
	getsockname(fd, (void *)&addresses[which], &lengths[which]);
	return fd;
}

static int connect_to(int which)
{
	int fd = socket(addresses[which].ss_family, SOCK_STREAM, 0);

	if (connect(fd, (void *)&addresses[which], lengths[which])) {
		perror("connect");
		exit(1);
	}
	return fd;
}

static bool get(int fd)
{
	char byte;

	return recv(fd, &byte, 1, 0) == 1;
}

static void put(int fd)
{
	if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
		exit(1);
}

/* What the servers measure, in memory that outlives them: from having received a request to answering it, and its parts. */
static struct measured {
	uint64_t served, behind, cpu, peer, other;
} *measured;

static void add(uint64_t *sum, uint64_t since)
{
	__atomic_fetch_add(sum, read_clock(CLOCK_MONOTONIC) - since, __ATOMIC_RELAXED);
}

/* Servers: each() answers one connection. */
static void *serve_threads(void *arg)
{
	int fd = (int)(intptr_t)arg;

	for (unsigned i = 1; get(fd); i++) {
		uint64_t since = read_clock(CLOCK_MONOTONIC);

		pass(i % 5 ? 5 : 50);
		add(&measured->served, since);
		put(fd);
	}
	return NULL;
}

static void *serve_behind(void *arg)
{
	int fd = (int)(intptr_t)arg;

	while (get(fd)) {
		uint64_t since = read_clock(CLOCK_MONOTONIC);

		pass(4);
		add(&measured->behind, since);
		put(fd);
	}
	return NULL;
}

static void compute_and_pass(unsigned cpu_ms, unsigned other_ms)
{
	uint64_t since = read_clock(CLOCK_MONOTONIC);

	compute(cpu_ms);
	add(&measured->cpu, since);
	since = read_clock(CLOCK_MONOTONIC);
	pass(other_ms);
	add(&measured->other, since);
}

static void *serve_parts(void *arg)
{
	int fd = (int)(intptr_t)arg, behind = connect_to(1);

	while (get(fd)) {
		uint64_t since = read_clock(CLOCK_MONOTONIC), asked;

		compute_and_pass(2, 3);
		asked = read_clock(CLOCK_MONOTONIC);
		put(behind);
		get(behind);
		add(&measured->peer, asked);
		add(&measured->served, since);
		put(fd);
	}
	return NULL;
}

static void *serve_at_once(void *arg)
{
	int fd = (int)(intptr_t)arg;

	while (get(fd) && get(fd))
		put(fd);
	return NULL;
}

static void *serve_one_way(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char byte;

	while (recv(fd, &byte, 1, 0) == 1)
		if (byte == 'x')
			put(fd);
	return NULL;
}

static void *serve_stream(void *arg)
{
	int fd = (int)(intptr_t)arg;

	if (get(fd)) {
		uint64_t since = read_clock(CLOCK_MONOTONIC);

		pass(5);
		add(&measured->served, since);
		for (int i = 0; i < 500; i++) {
			if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
				break;
			pass(2);
		}
	}
	close(fd);
	return NULL;
}

static void *serve_hang(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char byte;

	while (recv(fd, &byte, 1, 0) == 1) {
		if (byte == 'x' || byte == 'u')
			put(fd);
		if (byte == 'h' || byte == 'u')
			pause();
	}
	return NULL;
}

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static int queue[MOST];
static uint64_t received[3 * MOST + 16]; /* by descriptor: when one thread for all received the request */
static unsigned queue_length;

static void *work(void *arg)
{
	for (;;) {
		pthread_mutex_lock(&queue_lock);
		while (!queue_length)
			pthread_cond_wait(&queue_filled, &queue_lock);
		int fd = queue[--queue_length];
		pthread_mutex_unlock(&queue_lock);
		compute_and_pass(1, 5);
		add(&measured->served, received[fd]);
		put(fd);
	}
	return arg;
}

/* One thread for all connections: hands requests on to the pool, or to the server behind. */
static void serve_all(int listener, bool pool)
{
	struct pollfd fds[2 * MOST + 1] = {{.fd = listener, .events = POLLIN}};
	int other[2 * MOST + 1];
	nfds_t count = 1;
	pthread_t t;

	for (int i = 0; pool && i < WORKERS; i++)
		pthread_create(&t, NULL, work, NULL);
	while (poll(fds, count, -1) > 0) {
		for (nfds_t i = 1; i < count; i++) {
			if (!fds[i].revents)
				continue;
			if (!get(fds[i].fd)) {
				fds[i].fd = -1;
			} else if (pool) {
				received[fds[i].fd] = read_clock(CLOCK_MONOTONIC);
				pthread_mutex_lock(&queue_lock);
				queue[queue_length++] = fds[i].fd;
				pthread_mutex_unlock(&queue_lock);
				pthread_cond_signal(&queue_filled);
			} else {
				if (i % 2) /* a client */
					received[fds[i].fd] = read_clock(CLOCK_MONOTONIC);
				else
					add(&measured->served, received[other[i]]);
				put(other[i]);
			}
		}
		if (!fds[0].revents)
			continue;
		int fd = accept(listener, NULL, NULL), behind = pool ? -1 : connect_to(1);
		fds[count] = (struct pollfd){.fd = fd, .events = POLLIN};
		other[count++] = behind;
		if (behind >= 0) {
			fds[count] = (struct pollfd){.fd = behind, .events = POLLIN};
			other[count++] = fd;
		}
	}
}

struct mode {
	const char *name;
	void *(*each)(void *fd); /* NULL: one thread for all */
};

static const struct mode modes[] = {
	{"threads", serve_threads}, {"unix", serve_threads}, {"pool", NULL}, {"parts", serve_parts}, {"loop", NULL},
	{"halves", serve_at_once}, {"one-way", serve_one_way}, {"stream", serve_stream},
	{"hang", serve_hang}, {0}};

static pid_t server(const char *name, int listener, const struct mode *mode)
{
	pid_t pid = fork();
	pthread_t t;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, name);
	if (!mode->each)
		serve_all(listener, !strcmp(mode->name, "pool"));
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;)
		pthread_create(&t, NULL, mode->each, (void *)(intptr_t)fd);
	_exit(0);
}

static uint64_t *latency;
static unsigned requests;
static const struct mode *mode;

static void ask(int fd)
{
	if (!strcmp(mode->name, "halves")) {
		put(fd);
		pass(30);
	}
	put(fd);
	get(fd);
}

static void ask_in_vain(int fd, unsigned number)
{
	send(fd, number % 3 == 0 ? "h" : number % 3 == 1 ? "u" : "-", 1, MSG_NOSIGNAL);
	if (number % 3 == 1) {
		get(fd);
		put(fd);
	}
	poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 2500);
}

static void *client(void *arg)
{
	uint64_t *mine = latency + (size_t)(uintptr_t)arg * requests;
	int fd = connect_to(0);

	for (unsigned i = 0; i < requests; i++) {
		uint64_t begin = read_clock(CLOCK_MONOTONIC);

		if (!strcmp(mode->name, "one-way") && i + 1 < requests) {
			send(fd, "-", 1, MSG_NOSIGNAL);
		} else {
			ask(fd);
			mine[i] = read_clock(CLOCK_MONOTONIC) - begin;
		}
		pass(3);
	}
	if (!strcmp(mode->name, "hang"))
		ask_in_vain(fd, (unsigned)(uintptr_t)arg);
	if (!strcmp(mode->name, "stream"))
		while (get(fd))
			;
	close(fd);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	unsigned clients = argc > 2 ? (unsigned)atoi(argv[2]) : 1, count;
	char path[64];
	pthread_t t[MOST];
	uint64_t sum = 0;

	for (mode = modes; argc > 3 && mode->name && strcmp(mode->name, argv[1]); mode++)
		;
	if (argc < 4 || !mode->name || clients > MOST)
		return 2;
	requests = (unsigned)atoi(argv[3]);
	count = clients * requests;
	latency = calloc(count, sizeof(*latency));
	measured = mmap(NULL, sizeof(*measured), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(path, sizeof(path), "/tmp/service-test-%d", getpid());
	int behind = listen_at(1, NULL), front = listen_at(0, strcmp(mode->name, "unix") ? NULL : path);
	pid_t pids[] = {server("storehouse", behind, &(struct mode){"", serve_behind}), server("frontdesk", front, mode)};
	close(behind);
	close(front);
	for (unsigned i = 0; i < clients; i++)
		pthread_create(&t[i], NULL, client, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < clients; i++)
		pthread_join(t[i], NULL);
	pass(100);
	for (int i = 0; i < 2; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	unlink(path);
	qsort(latency, count, sizeof(*latency), by_value);
	for (unsigned i = 0; i < count; i++)
		sum += latency[i];
	printf("asked %u %llu %llu %llu %llu\n", count, (unsigned long long)(sum / count), (unsigned long long)latency[count / 2],
	       (unsigned long long)latency[(count * 9 - 1) / 10], (unsigned long long)latency[(count * 99 - 1) / 100]);
	printf("served %llu\nbehind %llu\nparts %llu %llu %llu\n", (unsigned long long)measured->served, (unsigned long long)measured->behind,
	       (unsigned long long)measured->cpu, (unsigned long long)measured->peer, (unsigned long long)measured->other);
	if (*path && addresses[0].ss_family == AF_INET)
		printf("ports %u %u\n", ntohs(((struct sockaddr_in *)&addresses[0])->sin_port),
		       ntohs(((struct sockaddr_in *)&addresses[1])->sin_port));
	else
		printf("path %s\n", path);
	return 0;
}
