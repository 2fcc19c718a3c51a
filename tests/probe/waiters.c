// SPDX-License-Identifier: BSD-2-Clause
/* Threads that wait, each for something known. Prints "NAME TID" for each of them, then "ready",
 *and stays until its standard input ends.
 *
 *	waiters FILE           the whole zoo; FILE is written and synced by one of them
 *	waiters --vfork        waits for a child that it shares its memory with
 *	waiters --unanswered   a thread whose stack pointer points to memory that nobody will ever fill in
 *	waiters --crowd N      N threads that wait for one condition
 *	waiters --family       two processes that deadlock over locks that they share; a third waits
 *for one of them waiters --churn        threads that come and go without end waiters --hostile
 *threads with names and a stack that should do harm
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t first_lock = PTHREAD_MUTEX_INITIALIZER,
		       second_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER,
		       slow_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t inherit_lock, *heap_lock, own_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t table_lock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t tokens;
static pthread_barrier_t both_locked;
static pthread_t sleeper;
static int pipe_ends[2], connection, unix_connection, file;

static void name_thread(const char *name)
{
	static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

	prctl(PR_SET_NAME, name);
	pthread_mutex_lock(&output);
	printf("%s %ld\n", name, syscall(SYS_gettid));
	fflush(stdout);
	pthread_mutex_unlock(&output);
}

static void for_ever(void)
{
	for (;;)
		sleep(1000);
}

__attribute__((noinline)) static void lock_second(void)
{
	pthread_mutex_lock(&second_lock);
	__asm__ volatile("");
}

__attribute__((noinline)) static void lock_first(void)
{
	pthread_mutex_lock(&first_lock);
	__asm__ volatile("");
}

static void *dead_one(void *arg)
{
	name_thread("dead-one");
	pthread_mutex_lock(&first_lock);
	pthread_barrier_wait(&both_locked);
	lock_second();
	return NULL;
}

static void *dead_two(void *arg)
{
	name_thread("dead-two");
	pthread_mutex_lock(&second_lock);
	pthread_barrier_wait(&both_locked);
	lock_first();
	return NULL;
}

static void *dead_alone(void *arg)
{
	name_thread("dead-alone");
	pthread_mutex_lock(&own_lock);
	pthread_mutex_lock(&own_lock);
	return NULL;
}

static void *follower(void *arg)
{
	name_thread("follower");
	sleep(1);
	pthread_mutex_lock(&first_lock);
	return NULL;
}

static void *writer(void *arg)
{
	name_thread("writer");
	pthread_rwlock_wrlock(&table_lock);
	pthread_mutex_lock(&slow_lock);
	pthread_mutex_lock(&inherit_lock);
	pthread_mutex_lock(heap_lock);
	for_ever();
	return NULL;
}

static void *reader(void *arg)
{
	name_thread("reader");
	sleep(1);
	pthread_rwlock_rdlock(&table_lock);
	return NULL;
}

static void *second_writer(void *arg)
{
	name_thread("second-writer");
	sleep(1);
	pthread_rwlock_wrlock(&table_lock);
	return NULL;
}

static void *slow(void *arg)
{
	name_thread("slow");
	sleep(1);
	pthread_mutex_lock(&slow_lock);
	return NULL;
}

static void *inherits(void *arg)
{
	name_thread("inherits");
	sleep(1);
	pthread_mutex_lock(&inherit_lock);
	return NULL;
}

static void *heap(void *arg)
{
	name_thread("heap");
	sleep(1);
	pthread_mutex_lock(heap_lock);
	return NULL;
}

static void *joiner(void *arg)
{
	name_thread("joiner");
	pthread_join(sleeper, NULL);
	return NULL;
}

static void *sleeps(void *arg)
{
	name_thread("sleeps");
	nanosleep(&(struct timespec){.tv_sec = 4000, .tv_nsec = 250000000}, NULL);
	return NULL;
}

static void *until(void *arg)
{
	struct timespec then;

	name_thread("until");
	clock_gettime(CLOCK_MONOTONIC, &then);
	then.tv_sec += 4000;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
	return NULL;
}

static void *condition(void *arg)
{
	name_thread("condition");
	pthread_mutex_lock(&queue_lock);
	pthread_cond_wait(&queue_filled, &queue_lock);
	return NULL;
}

static void *semaphore(void *arg)
{
	name_thread("semaphore");
	sem_wait(&tokens);
	return NULL;
}

static void *receiver(void *arg)
{
	char byte;

	name_thread("receiver");
	recv(connection, &byte, 1, 0);
	return NULL;
}

static void *unix_receiver(void *arg)
{
	char byte;

	name_thread("unix-receiver");
	recv(unix_connection, &byte, 1, 0);
	return NULL;
}

static void *poller(void *arg)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0);

	name_thread("poller");
	epoll_ctl(epoll, EPOLL_CTL_ADD, connection, &event);
	epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_ends[0], &event);
	epoll_wait(epoll, &event, 1, -1);
	return NULL;
}

static void *pipe_reader(void *arg)
{
	char byte;

	name_thread("pipe-reader");
	return read(pipe_ends[0], &byte, 1) < 0 ? arg : NULL;
}

static void *taker(void *arg)
{
	struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 1};
	mqd_t queue = mq_open("/waiters-queue", O_CREAT | O_RDWR, 0600, &attributes);
	char byte;

	mq_unlink("/waiters-queue");
	name_thread("taker");
	mq_receive(queue, &byte, 1, NULL);
	return NULL;
}

static void *syncer(void *arg)
{
	static char block[1 << 20];

	name_thread("syncer");
	for (;;)
		if (pwrite(file, block, sizeof(block), 0) < 0 || fsync(file) < 0)
			abort();
}

_Noreturn static void *spinner(void *arg)
{
	name_thread("spinner");
	for (;;)
		__asm__ volatile("");
}

static pthread_t start(void *(*run)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, NULL))
		abort();
	return thread;
}

/* Another process that holds the other ends of the connection and the pipe. */
static pid_t start_server(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    bind(listener, (struct sockaddr *)&address, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &len) || pipe(pipe_ends))
		abort();
	pid_t child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "server");
		close(pipe_ends[0]);
		close(pair[0]);
		accept(listener, NULL, NULL);
		pause();
		_exit(0);
	}
	close(listener);
	close(pair[1]);
	unix_connection = pair[0];
	close(pipe_ends[1]);
	connection = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(connection, (struct sockaddr *)&address, sizeof(address)))
		abort();
	printf("server %d\n", child);
	return child;
}

/* The child runs no other program, and the parent waits for that. */
static int lend_memory(void)
{
	if (!vfork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		name_thread("borrower");
		puts("ready");
		fflush(stdout);
		for_ever();
	}
	return 0;
}

static int zoo(const char *path)
{
	static void *(*const all[])(void *) = {dead_one,  dead_two, dead_alone,    follower,
					       writer,    reader,   second_writer, slow,
					       inherits,  heap,     joiner,        condition,
					       semaphore, receiver, unix_receiver, pipe_reader,
					       poller,    taker,    syncer,        spinner,
					       until};
	pthread_mutexattr_t attributes;
	char byte;

	file = open(path, O_RDWR | O_CREAT, 0600);
	if (file < 0)
		return 1;
	start_server();
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&inherit_lock, &attributes);
	heap_lock = calloc(1, sizeof(*heap_lock));
	pthread_mutex_init(heap_lock, NULL);
	pthread_barrier_init(&both_locked, NULL, 2);
	sem_init(&tokens, 0, 0);
	sleeper = start(sleeps);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		start(all[i]);
	sleep(2);
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}

_Noreturn static void *take_job(void *arg)
{
	pthread_mutex_lock(&queue_lock);
	for (;;)
		pthread_cond_wait(&queue_filled, &queue_lock);
}

/* Whoever reads there waits for good. */
static int unanswered(void)
{
#if defined(__x86_64__)
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register wanted = {.range.len = 1 << 20, .mode = UFFDIO_REGISTER_MODE_MISSING};
	char *area = mmap(NULL, wanted.range.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	wanted.range.start = (uintptr_t)area;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &wanted))
		return 1;
	puts("ready");
	fflush(stdout);
	__asm__ volatile("mov %0, %%rsp\n\tsyscall" : : "r"(area + (512 << 10)), "a"(SYS_pause) : "rcx", "r11", "memory");
#endif
	return 0;
}

static int crowd(unsigned count)
{
	pthread_attr_t attributes;
	pthread_t thread;
	char byte;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	for (unsigned i = 0; i < count; i++)
		if (pthread_create(&thread, &attributes, take_job, NULL))
			return 1;
	sleep(1);
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}

/* Prints its number, as the first of all does for its threads. */
static void lock_both(const char *name, pthread_mutex_t *first, pthread_mutex_t *second)
{
	name_thread(name);
	pthread_mutex_lock(first);
	sleep(1);
	pthread_mutex_lock(second);
	_exit(1);
}

static int family(void)
{
	pthread_mutex_t *locks =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	for (int i = 0; i < 2; i++)
		if (locks == MAP_FAILED || pthread_mutex_init(&locks[i], &attributes))
			return 1;
	for (int i = 0; i < 2; i++)
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			lock_both(i ? "son" : "daughter", &locks[i], &locks[!i]);
		}
	sleep(2);
	puts("ready");
	fflush(stdout);
	return wait(NULL) < 0;
}

static void *soon_over(void *arg)
{
	usleep(200);
	return NULL;
}

static int churn(void)
{
	puts("ready");
	fflush(stdout);
	for (;;) {
		pthread_t threads[8];

		for (int i = 0; i < 8; i++)
			if (pthread_create(&threads[i], NULL, soon_over, NULL))
				return 1;
		for (int i = 0; i < 8; i++)
			pthread_join(threads[i], NULL);
	}
}

static void *hostile_name(void *arg)
{
	prctl(PR_SET_NAME, arg);
	for_ever();
	return NULL;
}

/* Waits on memory that claims to be a mutex with an owner that does not live. */
static void *false_owner(void *arg)
{
	static pthread_mutex_t lies = PTHREAD_MUTEX_INITIALIZER;

	prctl(PR_SET_NAME, "false-owner");
	lies.__data.__lock = 2;
	lies.__data.__owner = 4194303;
	lies.__data.__nusers = 1;
	pthread_mutex_lock(&lies);
	return NULL;
}

static int hostile(void)
{
	static char *names[] = {"\033]0;evil\007", "a\nb (c) d", "\"}],<&>", "\xff\xfe\x80",
				") R 1 1 1"};
	pthread_t thread;
	char byte;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (pthread_create(&thread, NULL, hostile_name, names[i]))
			return 1;
	start(false_owner);
	sleep(1);
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && !strcmp(argv[1], "--crowd"))
		return crowd((unsigned)atoi(argv[2]));
	if (argc == 2 && !strcmp(argv[1], "--unanswered"))
		return unanswered();
	if (argc == 2 && !strcmp(argv[1], "--churn"))
		return churn();
	if (argc == 2 && !strcmp(argv[1], "--family"))
		return family();
	if (argc == 2 && !strcmp(argv[1], "--hostile"))
		return hostile();
	if (argc == 2 && !strcmp(argv[1], "--vfork"))
		return lend_memory();
	return argc == 2 ? zoo(argv[1]) : 2;
}
