// SPDX-License-Identifier: BSD-2-Clause
#include "load.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { MOST_HELPERS = 3 }; /* each needs some 10 MB meanwhile, most of it the kernel's types */

struct work {
	struct load *items;
	size_t count;
	atomic_size_t next;
};

static void *take_turns(void *arg)
{
	struct work *work = arg;
	size_t i;

	while ((i = atomic_fetch_add(&work->next, 1)) < work->count)
		work->items[i].error = bpf_object__load(work->items[i].object);
	return NULL;
}

void load_all(struct load *items, size_t count)
{
	struct work work = {.items = items, .count = count};
	long helpers = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	pthread_t threads[MOST_HELPERS];
	int started = 0;

	mallopt(M_ARENA_MAX, 1); /* or what the helpers took would stay with arenas of their own, which are never trimmed */
	while (started < MOST_HELPERS && started < helpers && pthread_create(&threads[started], NULL, take_turns, &work) == 0)
		started++;
	take_turns(&work);
	while (started)
		pthread_join(threads[--started], NULL);
}
