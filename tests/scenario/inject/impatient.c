// SPDX-License-Identifier: BSD-2-Clause
/* impatient KIND THREADS [HELD-US [FREE-US]]: bookkeepers that take one ledger in turn, hold it for so long and do without it for
 * so long, and that do not sleep while another has it. Kinds: exchange (test-and-set with a pause), load (a plain loop around
 * the flag), yield, nap (the same, and who has it sleeps), trylock; poll and receive: who waits for orders of another process
 * without sleeping. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "inject.h"

static unsigned held_us, free_us;
static int orders[2];
static volatile int taken;
static pthread_mutex_t ledger = PTHREAD_MUTEX_INITIALIZER;

static void relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#else
	__asm__ volatile("yield");
#endif
}

__attribute__((noinline)) static void take_exchange(void)
{
	while (__atomic_exchange_n(&taken, 1, __ATOMIC_ACQUIRE))
		while (taken)
			relax();
}

__attribute__((noinline)) static void take_load(void)
{
	while (__atomic_exchange_n(&taken, 1, __ATOMIC_ACQUIRE))
		while (taken)
			;
}

__attribute__((noinline)) static void take_yield(void)
{
	while (__atomic_exchange_n(&taken, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

__attribute__((noinline)) static void take_trylock(void)
{
	while (pthread_mutex_trylock(&ledger))
		;
}

static void give_flag(void)
{
	__atomic_store_n(&taken, 0, __ATOMIC_RELEASE);
}

static void give_ledger(void)
{
	pthread_mutex_unlock(&ledger);
}

static struct kind {
	const char *name;
	void (*take)(void), (*give)(void);
	bool naps;
} kinds[] = {
	{"exchange", take_exchange, give_flag},
	{"load", take_load, give_flag},
	{"yield", take_yield, give_flag},
	{"nap", take_yield, give_flag, .naps = true},
	{"trylock", take_trylock, give_ledger},
};

__attribute__((noinline)) static uint64_t compute(uint64_t seed, unsigned us)
{
	uint64_t until = thread_cpu_ns() + us * 1000u;

	while (thread_cpu_ns() < until)
		seed = work(200, seed);
	return seed + 1;
}

__attribute__((noinline)) static uint64_t post_entries(uint64_t seed)
{
	return compute(seed, held_us) + 1;
}

static void *keep_books(void *arg)
{
	const struct kind *kind = arg;

	for (uint64_t seed = 1;;) {
		kind->take();
		if (kind->naps)
			sleep_ns(held_us * 1000u);
		else
			seed = post_entries(seed);
		kind->give();
		if (free_us)
			seed = compute(seed, free_us);
	}
	return NULL;
}

static void give_orders(void *arg)
{
	for (uint64_t seed = 1;; sleep_ns(free_us * 1000u)) {
		seed = compute(seed, held_us);
		if (write(orders[1], &seed, sizeof(seed)) != sizeof(seed))
			return;
	}
}

__attribute__((noinline)) static void await_poll(void)
{
	struct pollfd p = {.fd = orders[0], .events = POLLIN};
	uint64_t order;

	while (poll(&p, 1, 0) == 0)
		;
	if (read(orders[0], &order, sizeof(order)) < 0)
		_exit(1);
}

__attribute__((noinline)) static void await_receive(void)
{
	uint64_t order;

	while (recv(orders[0], &order, sizeof(order), MSG_DONTWAIT) < 0 && errno == EAGAIN)
		;
}

static int start_threads(const char *name, unsigned threads)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (unsigned n = 0; !strcmp(kinds[i].name, name) && n < threads; n++) {
			pthread_t thread;

			if (pthread_create(&thread, NULL, keep_books, &kinds[i]))
				return 1;
		}
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "exchange";

	held_us = argument(argc, argv, 3, 200);
	free_us = argument(argc, argv, 4, 20);
	die_with_parent();
	prctl(PR_SET_NAME, "bookkeeper");
	if (strcmp(kind, "poll") && strcmp(kind, "receive"))
		return start_threads(kind, argument(argc, argv, 2, 2));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, orders) < 0)
		return 1;
	spawn("customer", give_orders, NULL);
	for (;;)
		*kind == 'p' ? await_poll() : await_receive();
}
