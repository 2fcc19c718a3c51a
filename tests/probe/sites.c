// SPDX-License-Identifier: BSD-2-Clause
/* Threads that wait for one cause at several places, for times that they choose: what share of a thread's waiting
 * belongs to which of its functions. A line a place: THREAD FUNCTION WAITS WAITED_NS. Not measured: a thread's own
 * clock also has the way in and out of each wait, which is a quarter of a short one. */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double seconds;

struct site {
	const char *name;
	void (*wait)(long ns);
	long ns;
	unsigned times; /* a round */
	uint64_t waits;
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Waits on a futex that nobody wakes, until the time is over. */
static void wait_ns(long ns)
{
	struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
	int word = 0;

	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0);
}

/* One function a place, kept apart for the compiler. */
#define PLACE(name) \
	static __attribute__((noinline)) void name(long ns) \
	{ \
		wait_ns(ns); \
		__asm__ volatile("" ::: "memory"); \
	}
PLACE(many_short)
PLACE(one_long)
PLACE(fifth_ms)
PLACE(two_ms)
PLACE(twenty_ms)
PLACE(mixed_short)
PLACE(mixed_again)

struct plan {
	const char *name;
	struct site sites[4];
};

static struct plan plans[] = {
	{"short-long", {{"many_short", many_short, 30000, 2000}, {"one_long", one_long, 150000000, 1}}},
	{"three", {{"fifth_ms", fifth_ms, 200000, 50}, {"two_ms", two_ms, 2000000, 5}, {"twenty_ms", twenty_ms, 20000000, 1}}},
	{"alike", {{"mixed_short", mixed_short, 300000, 30}, {"mixed_again", mixed_again, 300000, 10}}},
};

static void *run(void *arg)
{
	struct plan *plan = arg;
	uint64_t end = now() + (uint64_t)(seconds * 1e9);

	prctl(PR_SET_NAME, plan->name);
	prctl(PR_SET_TIMERSLACK, 1);
	while (now() < end)
		for (struct site *s = plan->sites; s->name; s++)
			for (unsigned i = 0; i < s->times; i++, s->waits++)
				s->wait(s->ns);
	return NULL;
}

int main(int argc, char **argv)
{
	enum { COUNT = sizeof(plans) / sizeof(plans[0]) };
	struct sched_param first = {.sched_priority = 10};
	pthread_t threads[COUNT];

	seconds = argc > 1 ? atof(argv[1]) : 1;
	sched_setscheduler(0, SCHED_FIFO, &first);
	for (int i = 0; i < COUNT; i++)
		if (pthread_create(&threads[i], NULL, run, &plans[i]))
			return 1;
	for (int i = 0; i < COUNT; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < COUNT; i++)
		for (const struct site *s = plans[i].sites; s->name; s++)
			printf("%s %s %llu %llu\n", plans[i].name, s->name, (unsigned long long)s->waits,
			       (unsigned long long)s->waits * (unsigned long long)s->ns);
	return 0;
}
