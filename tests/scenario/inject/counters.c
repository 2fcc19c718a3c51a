// SPDX-License-Identifier: BSD-2-Clause
/* counters crossed|order|held N: N clerks take two locks each, the second one being the next clerk's first: at once they wait for
 * each other; or the last takes them the other way round, and all go on; or one sleeps with all locks, for ever, and nobody waits
 * for each other. The locks are words as Rust's: 0 free, 1 taken, 2 waited for; nothing says who has one. Two more have no work. */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST = 16, IDLE = 2 };

struct counter {
	long cash;
	_Atomic uint32_t lock;
	char padding[52];
};

static struct counter *counters[MOST];
static _Atomic uint32_t work_to_do;
static int count;
static const char *how;

static void wait_while(_Atomic uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static __attribute__((noinline)) void take(_Atomic uint32_t *word)
{
	uint32_t expected = 0;

	if (atomic_compare_exchange_strong(word, &expected, 1))
		return;
	while (atomic_exchange(word, 2))
		wait_while(word, 2);
}

static __attribute__((noinline)) void give_back(_Atomic uint32_t *word)
{
	if (atomic_exchange(word, 0) == 2)
		syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

static __attribute__((noinline)) void move_cash(struct counter *from, struct counter *to)
{
	take(&from->lock);
	usleep(strcmp(how, "order") ? 300000 : 1000);
	take(&to->lock);
	from->cash--;
	to->cash++;
	give_back(&to->lock);
	give_back(&from->lock);
}

static void *clerk(void *arg)
{
	int own = (int)(intptr_t)arg, next = (own + 1) % count;
	bool turned = !strcmp(how, "order") && next < own;

	for (;;) {
		move_cash(counters[turned ? next : own], counters[turned ? own : next]);
		usleep(20000);
	}
	return NULL;
}

static void *idle(void *arg)
{
	(void)arg;
	for (;;)
		wait_while(&work_to_do, 0);
	return NULL;
}

static void *keeper(void *arg)
{
	_Atomic uint32_t *taken[MOST];

	for (int i = 0; i < count; i++) {
		taken[i] = &((struct counter *)arg)[i].lock;
		take(taken[i]);
	}
	/* It has to find them there again. */
	__asm__ volatile("" : : "r"(taken) : "memory");
	pause();
	for (int i = 0; i < count; i++)
		give_back(taken[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	how = argc > 1 ? argv[1] : "";
	count = argc > 2 ? atoi(argv[2]) : 0;
	if (count < 2 || count > MOST)
		return 2;
	struct counter *all = calloc(MOST, sizeof(*all));
	for (int i = 0; i < count; i++)
		counters[i] = &all[i];
	for (int i = 0; i < IDLE; i++)
		pthread_create(&thread, NULL, idle, NULL);
	if (!strcmp(how, "held")) {
		pthread_create(&thread, NULL, keeper, all);
		usleep(100000);
	}
	for (int i = 0; i < count; i++)
		pthread_create(&thread, NULL, clerk, (void *)(intptr_t)i);
	pause();
	return 0;
}
