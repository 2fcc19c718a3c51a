// SPDX-License-Identifier: BSD-2-Clause
/* relay KIND PAIRS [WORK]: two that pass a message to and fro and do so many rounds of work with it each time. Kinds: pipe
 * and eventfd (two processes), futex (two threads), yield (threads that give up their CPU after each message). */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "inject.h"

static unsigned rounds;

struct leg {
	int in, out;
	uint32_t *turn, mine;
};

__attribute__((noinline)) static uint64_t stamp_letter(uint64_t seed)
{
	return work(rounds, seed) + 1;
}

static void pass_files(void *arg)
{
	struct leg *leg = arg;

	for (uint64_t letter; read(leg->in, &letter, sizeof(letter)) == sizeof(letter);) {
		letter = stamp_letter(letter) % 1000 + 1;
		if (write(leg->out, &letter, sizeof(letter)) != sizeof(letter))
			return;
	}
}

static void *pass_turns(void *arg)
{
	struct leg *leg = arg;

	for (uint64_t seed = 1;;) {
		while (__atomic_load_n(leg->turn, __ATOMIC_ACQUIRE) != leg->mine)
			syscall(SYS_futex, leg->turn, FUTEX_WAIT_PRIVATE, !leg->mine, NULL, NULL, 0);
		seed = stamp_letter(seed);
		__atomic_store_n(leg->turn, !leg->mine, __ATOMIC_RELEASE);
		syscall(SYS_futex, leg->turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
	return NULL;
}

static void *pass_over(void *arg)
{
	for (uint64_t seed = 1;;) {
		seed = stamp_letter(seed);
		sched_yield();
	}
	return arg;
}

static int start_threads(void *(*run)(void *arg), struct leg *legs)
{
	for (int i = 0; i < 2; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, run, &legs[i]))
			return 1;
	}
	return 0;
}

static int start_files(struct leg *legs, int events)
{
	int there[2], back[2];
	uint64_t letter = 1;

	if (events) {
		there[0] = there[1] = eventfd(0, 0);
		back[0] = back[1] = eventfd(0, 0);
	} else if (pipe(there) || pipe(back)) {
		return 1;
	}
	legs[0] = (struct leg){.in = back[0], .out = there[1]};
	legs[1] = (struct leg){.in = there[0], .out = back[1]};
	spawn("courier", pass_files, &legs[0]);
	spawn("courier", pass_files, &legs[1]);
	return write(there[1], &letter, sizeof(letter)) != sizeof(letter);
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "pipe";
	unsigned pairs = argument(argc, argv, 2, 1);

	rounds = argument(argc, argv, 3, 50);
	die_with_parent();
	prctl(PR_SET_NAME, "courier");
	for (unsigned i = 0; i < pairs; i++) {
		struct leg *legs = calloc(2, sizeof(*legs));

		legs[1].mine = 1;
		legs[0].turn = legs[1].turn = calloc(1, sizeof(uint32_t));
		if (!strcmp(kind, "futex") ? start_threads(pass_turns, legs) :
		    !strcmp(kind, "yield") ? start_threads(pass_over, legs) :
		    start_files(legs, !strcmp(kind, "eventfd")))
			return 1;
	}
	pause();
	return 0;
}
