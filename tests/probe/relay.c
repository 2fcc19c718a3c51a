// SPDX-License-Identifier: BSD-2-Clause
/* A lock handed through three threads to an fsync: `first` waits for a lock that `second` holds, which waits for one that
 * `third` holds while it brings data to the disk. Says at the end how long: NAME WAITED_NS OF_IT_SYNCING_NS. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MOST_SYNCS = 1 << 12, PAGE = 4096 };

struct span {
	uint64_t since, end;
};

struct waiter {
	const char *name;
	void (*take)(void);
	unsigned late_us; /* after the round began */
	uint64_t ns, syncing_ns;
};

static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t round_begins, round_ends;
static atomic_bool finished;
static struct span syncs[MOST_SYNCS]; /* of this round */
static atomic_int sync_count;
static int file;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

__attribute__((noinline)) static void keep_data(void)
{
	char page[PAGE];
	uint64_t begin = now();

	memset(page, (int)begin, sizeof(page));
	while (now() - begin < 20000000 && sync_count < MOST_SYNCS) {
		struct span *s = &syncs[sync_count++];

		if (pwrite(file, page, sizeof(page), 0) != PAGE)
			exit(1);
		s->since = now();
		fsync(file);
		s->end = now();
	}
}

__attribute__((noinline)) static void wait_for_third(void)
{
	pthread_mutex_lock(&outer);
	pthread_mutex_lock(&inner);
	pthread_mutex_unlock(&inner);
	pthread_mutex_unlock(&outer);
}

__attribute__((noinline)) static void wait_for_second(void)
{
	pthread_mutex_lock(&outer);
	pthread_mutex_unlock(&outer);
}

static void add_truth(struct waiter *w, const struct span *waited)
{
	w->ns += waited->end - waited->since;
	for (int i = 0; i < sync_count; i++) {
		uint64_t since = syncs[i].since > waited->since ? syncs[i].since : waited->since;
		uint64_t end = syncs[i].end < waited->end ? syncs[i].end : waited->end;

		w->syncing_ns += end > since ? end - since : 0;
	}
}

static void *wait_in_line(void *arg)
{
	struct waiter *w = arg;

	prctl(PR_SET_NAME, w->name);
	while (!finished) {
		pthread_barrier_wait(&round_begins);
		usleep(w->late_us);
		struct span waited = {.since = now()};
		w->take();
		waited.end = now();
		pthread_barrier_wait(&round_ends);
		add_truth(w, &waited);
		pthread_barrier_wait(&round_ends);
	}
	return NULL;
}

static void *sync_under_lock(void *arg)
{
	uint64_t end = now() + (uint64_t)(atof(arg) * 1e9);

	prctl(PR_SET_NAME, "third");
	while (!finished) {
		sync_count = 0;
		pthread_mutex_lock(&inner);
		pthread_barrier_wait(&round_begins);
		keep_data();
		pthread_mutex_unlock(&inner);
		pthread_barrier_wait(&round_ends);
		finished = now() > end;
		pthread_barrier_wait(&round_ends);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct waiter waiters[] = {{"first", wait_for_second, 2000, 0, 0}, {"second", wait_for_third, 500, 0, 0}};
	pthread_t threads[3];
	char path[512];

	if (argc < 3)
		return 2;
	snprintf(path, sizeof(path), "%s/relay", argv[2]);
	file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (file < 0)
		return 1;
	pthread_barrier_init(&round_begins, NULL, 3);
	pthread_barrier_init(&round_ends, NULL, 3);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, wait_in_line, &waiters[i]);
	pthread_create(&threads[2], NULL, sync_under_lock, argv[1]);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++)
		printf("%s %llu %llu\n", waiters[i].name, (unsigned long long)waiters[i].ns,
		       (unsigned long long)waiters[i].syncing_ns);
	return 0;
}
