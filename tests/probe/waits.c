// SPDX-License-Identifier: BSD-2-Clause
/* Threads that each wait for one known cause over and over, and do little else.
 * A line a thread at the end: CAUSE NAME TID WAITS LIVED_NS OFF_NS, where the last is how long it was not on a CPU for that
 * cause, by the clock less what the kernel says it ran meanwhile. waits sleepers COUNT: so many threads that sleep. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, BLOCK = 8 << 20 };

struct job;

struct kind {
	const char *cause, *name;
	void (*set_up)(struct job *);
	void (*prepare)(struct job *); /* before each wait; may be NULL */
	void (*wait)(struct job *); /* one wait of this cause and as little else as can be */
	void (*wake)(struct job *); /* what the partner thread does every `pause_us`; may be NULL */
	long pause_us;
};

struct job {
	const struct kind *kind;
	int in, out;
	atomic_int word;
	char *memory;
	size_t at;
	uint64_t waits, off_ns;
};

static atomic_bool finished;
static const char *directory;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static uint64_t ran(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void check(int fact, const char *what)
{
	if (fact)
		return;
	perror(what);
	exit(1);
}

static void sleep_5(struct job *j) { usleep(5000); }
static void sleep_50(struct job *j) { usleep(50000); }

static void timerfd_up(struct job *j)
{
	struct itimerspec t = {.it_interval.tv_nsec = 3000000, .it_value.tv_nsec = 3000000};

	j->in = timerfd_create(CLOCK_MONOTONIC, 0);
	check(timerfd_settime(j->in, 0, &t, NULL) == 0, "timerfd");
}

static void read_8(struct job *j)
{
	uint64_t word;

	check(read(j->in, &word, sizeof(word)) > 0 || atomic_load(&finished), "read");
}

static void write_8(struct job *j)
{
	uint64_t word = 1;

	check(write(j->out, &word, sizeof(word)) > 0, "write");
}

static void pipe_up(struct job *j)
{
	int ends[2];

	check(pipe(ends) == 0, "pipe");
	j->in = ends[0];
	j->out = ends[1];
}

static void unix_up(struct job *j)
{
	int ends[2];

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
	j->in = ends[0];
	j->out = ends[1];
}

static void eventfd_up(struct job *j)
{
	j->in = j->out = eventfd(0, 0);
}

static void tcp_up(struct job *j)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	check(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(listener, 1) == 0 &&
	      getsockname(listener, (struct sockaddr *)&a, &length) == 0, "listen");
	j->out = socket(AF_INET, SOCK_STREAM, 0);
	check(connect(j->out, (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
	j->in = accept(listener, NULL, NULL);
	close(listener);
}

static void receive(struct job *j)
{
	char bytes[64];

	check(recv(j->in, bytes, sizeof(bytes), 0) > 0, "recv");
}

static void futex_wait(struct job *j)
{
	while (!atomic_load(&j->word))
		syscall(SYS_futex, &j->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	atomic_store(&j->word, 0);
}

static void futex_wake(struct job *j)
{
	atomic_store(&j->word, 1);
	syscall(SYS_futex, &j->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void sysv_up(struct job *j)
{
	j->in = semget(IPC_PRIVATE, 1, 0600);
	check(j->in >= 0, "semget");
}

static void sysv_wait(struct job *j)
{
	struct sembuf down = {.sem_op = -1};

	check(semop(j->in, &down, 1) == 0, "semop");
}

static void sysv_wake(struct job *j)
{
	struct sembuf up = {.sem_op = 1};

	check(semop(j->in, &up, 1) == 0, "semop");
}

static void posix_up(struct job *j)
{
	j->memory = calloc(1, sizeof(sem_t));
	check(j->memory && sem_init((sem_t *)j->memory, 0, 0) == 0, "sem_init");
}

static void posix_wait(struct job *j)
{
	check(sem_wait((sem_t *)j->memory) == 0, "sem_wait");
}

static void posix_wake(struct job *j)
{
	sem_post((sem_t *)j->memory);
}

static void epoll_up(struct job *j)
{
	j->in = epoll_create1(0);
}

static void epoll_idle(struct job *j)
{
	struct epoll_event e;

	epoll_wait(j->in, &e, 1, 20);
}

static void poll_idle(struct job *j)
{
	poll(NULL, 0, 7);
}

static int new_file(const char *name, size_t bytes)
{
	static char block[BLOCK];
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(fd >= 0, path);
	memset(block, 1, sizeof(block));
	for (size_t done = 0; done < bytes; done += sizeof(block))
		check(write(fd, block, sizeof(block)) == sizeof(block), path);
	return fd;
}

static void fsync_up(struct job *j)
{
	j->in = new_file("fsync", 0);
}

static void write_and_sync(struct job *j)
{
	char page[PAGE];

	memset(page, (int)j->waits, sizeof(page));
	check(pwrite(j->in, page, sizeof(page), (off_t)(j->waits % 64 * PAGE)) == PAGE && fsync(j->in) == 0, "fsync");
}

static void cold_up(struct job *j)
{
	j->in = new_file("cold", 4 * BLOCK);
	j->memory = mmap(NULL, 4 * BLOCK, PROT_READ, MAP_SHARED, j->in, 0);
	check(j->memory != MAP_FAILED && fsync(j->in) == 0, "mmap");
	madvise(j->memory, 4 * BLOCK, MADV_RANDOM);
}

/* Which waits, too: for every CPU. */
static void drop_cache(struct job *j)
{
	madvise(j->memory, 4 * BLOCK, MADV_DONTNEED);
	posix_fadvise(j->in, 0, 4 * BLOCK, POSIX_FADV_DONTNEED);
}

static void cold_fault(struct job *j)
{
	for (int i = 0; i < 16; i++) {
		j->at = (j->at + 37 * PAGE) % (4 * BLOCK);
		(void)*(volatile char *)(j->memory + j->at);
	}
}

static int sleep_and_exit(void *arg)
{
	usleep(10000);
	return 0;
}

/* Shares its memory: a fork would hold up the other threads while it copies their pages. */
static void child(struct job *j)
{
	static _Alignas(16) char stack[64 * 1024];
	pid_t pid = clone(sleep_and_exit, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);

	check(waitpid(pid, NULL, 0) == pid, "waitpid");
}

static void vfork_child(struct job *j)
{
	pid_t pid = vfork();

	if (!pid) {
		usleep(10000);
		_exit(0);
	}
	check(waitpid(pid, NULL, 0) == pid, "waitpid");
}

/* One byte of a file is locked by the partner for a while, again and again. */
static void file_lock_up(struct job *j)
{
	char path[512];

	j->in = new_file("lock", 0);
	snprintf(path, sizeof(path), "%s/lock", directory);
	j->out = open(path, O_RDWR | O_CLOEXEC);
}

static void take_file_lock(struct job *j)
{
	flock(j->in, LOCK_EX);
	flock(j->in, LOCK_UN);
}

static void hold_file_lock(struct job *j)
{
	flock(j->out, LOCK_EX);
	usleep(5000);
	flock(j->out, LOCK_UN);
}

/* The partner writes much to a file in memory at once, under the inode's lock; this one wants it, too. */
static void inode_lock_up(struct job *j)
{
	j->in = memfd_create("inode", MFD_CLOEXEC);
	j->memory = calloc(8, BLOCK);
	check(j->in >= 0 && j->memory, "memfd");
}

static void small_write(struct job *j)
{
	check(pwrite(j->in, "x", 1, 0) == 1, "pwrite");
}

static void large_write(struct job *j)
{
	check(pwrite(j->in, j->memory, 8 * BLOCK, 0) == 8 * BLOCK, "pwrite");
}

static const struct kind kinds[] = {
	{"sleep", "sleep-5", NULL, NULL, sleep_5, NULL, 0},
	{"sleep", "sleep-50", NULL, NULL, sleep_50, NULL, 0},
	{"sleep", "timerfd", timerfd_up, NULL, read_8, NULL, 0},
	{"poll", "epoll", epoll_up, NULL, epoll_idle, NULL, 0},
	{"poll", "poll", NULL, NULL, poll_idle, NULL, 0},
	{"lock", "futex", NULL, NULL, futex_wait, futex_wake, 200},
	{"lock", "sysv", sysv_up, NULL, sysv_wait, sysv_wake, 1000},
	{"lock", "posix", posix_up, NULL, posix_wait, posix_wake, 1000},
	{"lock", "flock", file_lock_up, NULL, take_file_lock, hold_file_lock, 2000},
	{"ipc", "pipe", pipe_up, NULL, read_8, write_8, 1000},
	{"ipc", "unix", unix_up, NULL, receive, write_8, 1000},
	{"ipc", "eventfd", eventfd_up, NULL, read_8, write_8, 1000},
	{"net", "tcp", tcp_up, NULL, receive, write_8, 1000},
	{"net", "tcp-read", tcp_up, NULL, read_8, write_8, 1000},
	{"disk", "fsync", fsync_up, NULL, write_and_sync, NULL, 0},
	{"fault", "cold", cold_up, drop_cache, cold_fault, NULL, 0},
	{"child", "wait4", NULL, NULL, child, NULL, 0},
	{"child", "vfork", NULL, NULL, vfork_child, NULL, 0},
	{"kernel_lock", "inode", inode_lock_up, NULL, small_write, large_write, 1000},
};

static void *wake(void *arg)
{
	struct job *j = arg;

	prctl(PR_SET_NAME, "waker");
	while (!atomic_load(&finished)) {
		usleep((useconds_t)j->kind->pause_us);
		j->kind->wake(j);
	}
	usleep(1000);
	j->kind->wake(j); /* the last wait ends, too */
	return NULL;
}

static void *run(void *arg)
{
	struct job *j = arg;
	uint64_t start = now();
	pthread_t partner;

	prctl(PR_SET_NAME, j->kind->name);
	if (j->kind->set_up)
		j->kind->set_up(j);
	check(!j->kind->wake || pthread_create(&partner, NULL, wake, j) == 0, "thread");
	uint64_t since = now(), ran_before = ran();
	while (!atomic_load(&finished)) {
		if (j->kind->prepare) {
			j->kind->prepare(j);
			since = now();
			ran_before = ran();
		}
		j->kind->wait(j);
		if (j->kind->prepare)
			j->off_ns += now() - since - (ran() - ran_before);
		j->waits++;
	}
	if (!j->kind->prepare)
		j->off_ns = now() - since - (ran() - ran_before);
	printf("%s %s %d %llu %llu %llu\n", j->kind->cause, j->kind->name, gettid(), (unsigned long long)j->waits,
	       (unsigned long long)(now() - start), (unsigned long long)j->off_ns);
	if (j->kind->wake)
		pthread_join(partner, NULL);
	return NULL;
}

static void *rest(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int sleepers(int wanted)
{
	pthread_attr_t small;
	pthread_t thread;
	int count = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 * 1024);
	while (count < wanted && pthread_create(&thread, &small, rest, NULL) == 0)
		count++;
	printf("%d\n", count);
	fflush(stdout);
	rest(NULL);
	return 0;
}

int main(int argc, char **argv)
{
	enum { COUNT = sizeof(kinds) / sizeof(kinds[0]) };
	static struct job jobs[COUNT];
	pthread_t threads[COUNT];

	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "sleepers"))
		return sleepers(atoi(argv[2]));
	directory = argv[2];
	for (int i = 0; i < COUNT; i++) {
		jobs[i].kind = &kinds[i];
		check(pthread_create(&threads[i], NULL, run, &jobs[i]) == 0, "thread");
	}
	usleep((useconds_t)(atof(argv[1]) * 1e6));
	atomic_store(&finished, true);
	for (int i = 0; i < COUNT; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < COUNT; i++)
		if (jobs[i].kind->set_up == sysv_up)
			semctl(jobs[i].in, 0, IPC_RMID);
	return 0;
}
