// SPDX-License-Identifier: BSD-2-Clause
/* safepoint MUTATORS STOP-MS EVERY-MS [signal | self]: a runtime that stops all of its threads now and then, to tidy up
 * memory: they come to a safe point by themselves, or are suspended by a signal. With `self` it is the thread that has run
 * out of memory that tidies up, not one of its own. */
#include <pthread.h>
#include <semaphore.h>

#include "inject.h"

enum { MOST = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER, all_stopped = PTHREAD_COND_INITIALIZER;
static volatile int stopping;
static bool tell; /* when its threads stood, for how many nanoseconds, how many of them in line for a CPU, and when they were told to stop and to go on */
static struct swept {
	uint64_t start, took, queued;
} swept;
static unsigned mutators, stopped, stop_ms, every_ms, by_signal;
static pthread_t threads[MOST];
static sem_t suspended;
static volatile uint64_t next_stop;

__attribute__((noinline)) static uint64_t tidy_up(uint64_t seed)
{
	uint64_t queued = tell ? thread_queued_ns() : 0, start = now_ns(), end = start + stop_ms * 1000000ull;

	while (now_ns() < end)
		seed = work(1000, seed);
	swept = (struct swept){.start = start, .took = now_ns() - start, .queued = tell ? thread_queued_ns() - queued : 0};
	return seed + 1;
}

/* Who has other work as well is known by what it calls this. */
__attribute__((noinline)) static uint64_t mark_and_sweep(uint64_t seed)
{
	seed = tidy_up(seed);
	__asm__ volatile("" ::: "memory"); /* no tail call: it is to be seen on the stack */
	return seed + 1;
}

static void suspend(int signal)
{
	sigset_t mask;

	sigfillset(&mask);
	sigdelset(&mask, SIGUSR2);
	sem_post(&suspended);
	sigsuspend(&mask);
}

static void resume(int signal)
{
}

static void say(uint64_t begin)
{
	if (tell)
		printf("%llu %llu %llu %llu %llu\n", (unsigned long long)swept.start, (unsigned long long)swept.took,
		       (unsigned long long)swept.queued, (unsigned long long)begin, (unsigned long long)now_ns());
}

/* Called by one thread while all the others run. */
__attribute__((noinline)) static void stop_all_and_sweep(unsigned others)
{
	uint64_t begin = now_ns();

	if (by_signal) {
		for (unsigned i = 0; i < mutators; i++)
			pthread_kill(threads[i], SIGUSR1);
		for (unsigned i = 0; i < mutators; i++)
			sem_wait(&suspended);
		tidy_up(1);
		for (unsigned i = 0; i < mutators; i++)
			pthread_kill(threads[i], SIGUSR2);
		say(begin);
		return;
	}
	pthread_mutex_lock(&lock);
	stopping = 1;
	while (stopped < others)
		pthread_cond_wait(&all_stopped, &lock);
	pthread_mutex_unlock(&lock);
	if (others < mutators)
		mark_and_sweep(1);
	else
		tidy_up(1);
	pthread_mutex_lock(&lock);
	stopping = 0;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	say(begin);
}

static void come_to_safe_point(void)
{
	pthread_mutex_lock(&lock);
	stopped++;
	pthread_cond_signal(&all_stopped);
	while (stopping)
		pthread_cond_wait(&changed, &lock);
	stopped--;
	pthread_mutex_unlock(&lock);
}

/* Out of memory: the first that notices tidies up. */
static void run_out(void)
{
	static int sweeping;

	if (__atomic_exchange_n(&sweeping, 1, __ATOMIC_ACQ_REL))
		return;
	if (now_ns() >= next_stop) {
		stop_all_and_sweep(mutators - 1);
		next_stop = now_ns() + every_ms * 1000000ull;
	}
	__atomic_store_n(&sweeping, 0, __ATOMIC_RELEASE);
}

__attribute__((noinline)) static void *take_orders(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	prctl(PR_SET_NAME, "order");
	for (;;) {
		seed = work(20000, seed);
		if (stopping)
			come_to_safe_point();
		if (next_stop && now_ns() >= next_stop)
			run_out();
		sleep_ns(100000); /* its orders do not come in faster */
	}
	return NULL;
}

int main(int argc, char **argv)
{
	bool self = argc > 4 && !strcmp(argv[4], "self");

	mutators = argument(argc, argv, 1, 4);
	mutators = mutators < MOST ? mutators : MOST;
	stop_ms = argument(argc, argv, 2, 60);
	every_ms = argument(argc, argv, 3, 200);
	by_signal = argc > 4 && !strcmp(argv[4], "signal");
	tell = getenv("TELL");
	setlinebuf(stdout);
	die_with_parent();
	prctl(PR_SET_NAME, "orderbook");
	signal(SIGUSR2, resume);
	signal(SIGUSR1, suspend);
	sem_init(&suspended, 0, 0);
	next_stop = self ? now_ns() + every_ms * 1000000ull : 0;
	for (unsigned i = 0; i < mutators; i++)
		if (pthread_create(&threads[i], NULL, take_orders, (void *)(uintptr_t)i))
			return 1;
	for (;;) {
		sleep_ns(every_ms * 1000000ull);
		if (!self)
			stop_all_and_sweep(mutators);
	}
}
