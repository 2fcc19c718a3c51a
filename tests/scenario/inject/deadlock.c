// SPDX-License-Identifier: BSD-2-Clause
/* deadlock N [order]: N threads take two locks each, the second one being the next thread's first: after
 * a second they wait for each other. With "order" the last takes them the other way round, and all go on. Others idle. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 16, IDLE = 4 };

static pthread_mutex_t locks[MOST];
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static int count;
static int ordered;

static __attribute__((noinline)) void transfer(int from, int to)
{
	pthread_mutex_lock(&locks[from]);
	usleep(ordered ? 1000 : 1000000);
	pthread_mutex_lock(&locks[to]);
	pthread_mutex_unlock(&locks[to]);
	pthread_mutex_unlock(&locks[from]);
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
	pthread_t thread;

	count = argc > 1 ? atoi(argv[1]) : 2;
	ordered = argc > 2 && !strcmp(argv[2], "order");
	if (count < 2 || count > MOST)
		return 2;
	for (int i = 0; i < count; i++)
		pthread_mutex_init(&locks[i], NULL);
	for (int i = 0; i < IDLE; i++)
		pthread_create(&thread, NULL, idle, NULL);
	for (int i = 0; i < count; i++)
		pthread_create(&thread, NULL, work, (void *)(intptr_t)i);
	pause();
	return 0;
}
