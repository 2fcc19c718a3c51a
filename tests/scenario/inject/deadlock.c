// SPDX-License-Identifier: BSD-2-Clause
/* deadlock N [order | rwlock | processes | semaphores | relay | relay-shared | relay-handler]: N threads take two locks each, the second one being the next thread's first: after
 * a second they wait for each other. With "order" the last takes them the other way round, and all go on. With "rwlock" the first
 * lock is one, which its first thread takes for writing and the last for reading. With "processes" each is a process, and the
 * locks are shared. With "semaphores" they are those, which name no owner. Others idle.
 * With "relay" each waits at its own semaphore and then gives the next one's; the first is given on a signal, or, of shared ones, by other processes,
 * or by a signal's handler while the first thread waits for the others' end. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { MOST = 16, IDLE = 4 };

static pthread_mutex_t *locks;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t prices = PTHREAD_RWLOCK_INITIALIZER;
static sem_t semaphores[MOST];
static int count;
static int ordered, with_prices;

static void take(int lock, int writes)
{
	if (lock || !with_prices)
		pthread_mutex_lock(&locks[lock]);
	else if (writes)
		pthread_rwlock_wrlock(&prices);
	else
		pthread_rwlock_rdlock(&prices);
}

static void give(int lock)
{
	if (lock || !with_prices)
		pthread_mutex_unlock(&locks[lock]);
	else
		pthread_rwlock_unlock(&prices);
}

static __attribute__((noinline)) void transfer(int from, int to)
{
	take(from, 1);
	usleep(ordered ? 1000 : 1000000);
	take(to, 0);
	give(to);
	give(from);
}

static __attribute__((noinline)) void move_goods(sem_t *from, sem_t *to)
{
	sem_wait(from);
	usleep(1000000);
	sem_wait(to);
	sem_post(to);
	sem_post(from);
}

static void *stack_goods(void *arg)
{
	int own = (int)(intptr_t)arg;

	for (;;)
		move_goods(&semaphores[own], &semaphores[(own + 1) % count]);
	return NULL;
}

static __attribute__((noinline)) void hand_on(sem_t *own, sem_t *next)
{
	for (;;) {
		sem_wait(own);
		sem_post(next);
	}
}

static void *run_relay(void *arg)
{
	int own = (int)(intptr_t)arg;

	hand_on(&semaphores[own], &semaphores[(own + 1) % count]);
	return NULL;
}

static void start_on_signals(const sigset_t *signals)
{
	for (int signal;;)
		if (!sigwait(signals, &signal))
			sem_post(&semaphores[0]);
}

static void give_first(int signal)
{
	(void)signal;
	sem_post(&semaphores[0]);
}

static void *work(void *arg)
{
	int own = (int)(intptr_t)arg, next = (own + 1) % count;

	for (;;) {
		if (ordered && next < own)
			transfer(next, own);
		else
			transfer(own, next);
		usleep(50000);
	}
	return NULL;
}

static void *idle(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&queue_lock);
	for (;;)
		pthread_cond_wait(&queue_filled, &queue_lock);
	return NULL;
}

int main(int argc, char **argv)
{
	bool processes = argc > 2 && !strcmp(argv[2], "processes"), with_semaphores = argc > 2 && !strcmp(argv[2], "semaphores");
	bool relays = argc > 2 && !strncmp(argv[2], "relay", 5), shared = argc > 2 && !strcmp(argv[2], "relay-shared");
	bool handles = argc > 2 && !strcmp(argv[2], "relay-handler");
	void *(*function)(void *) = relays ? run_relay : with_semaphores ? stack_goods : work;
	pthread_mutexattr_t attributes;
	sigset_t signals;
	pthread_t thread;

	count = argc > 1 ? atoi(argv[1]) : 2;
	ordered = argc > 2 && !strcmp(argv[2], "order");
	with_prices = argc > 2 && !strcmp(argv[2], "rwlock");
	if (count < 2 || count > MOST)
		return 2;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	locks = mmap(NULL, MOST * sizeof(*locks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < count; i++)
		pthread_mutex_init(&locks[i], processes ? &attributes : NULL);
	for (int i = 0; i < count; i++)
		sem_init(&semaphores[i], shared, !relays);
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	if (handles)
		signal(SIGHUP, give_first);
	else if (relays)
		pthread_sigmask(SIG_BLOCK, &signals, NULL);
	for (int i = 0; i < IDLE; i++)
		pthread_create(&thread, NULL, idle, NULL);
	for (int i = 0; i < count; i++)
		if (!processes)
			pthread_create(&thread, NULL, function, (void *)(intptr_t)i);
		else if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			work((void *)(intptr_t)i);
		}
	if (handles)
		pthread_join(thread, NULL);
	if (relays && !shared)
		start_on_signals(&signals);
	pause();
	return 0;
}
