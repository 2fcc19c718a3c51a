// SPDX-License-Identifier: BSD-2-Clause
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "fail.h"
#include "io.h"
#include "mem.h"

enum { MOST_HELPERS = 3 }; /* each needs memory meanwhile, where the kernel's types are not shared some 10 MB */

struct work {
	struct load *items;
	size_t count;
	atomic_size_t next;
	int done_fd; /* takes the index of each that has been loaded; -1: nobody asks */
};

struct helpers {
	pthread_t threads[MOST_HELPERS];
	int count;
};

struct loading {
	struct work work;
	struct helpers helpers;
	int fd;
};

static void *take_turns(void *arg)
{
	struct work *work = arg;
	size_t i;

	while ((i = atomic_fetch_add(&work->next, 1)) < work->count) {
		work->items[i].error = bpf_object__load(work->items[i].object);
		if (work->done_fd >= 0)
			write_all(work->done_fd, &i, sizeof(i));
	}
	return NULL;
}

static void start(struct helpers *h, struct work *work, long wanted)
{
	mallopt(M_ARENA_MAX, 1); /* or what the helpers took would stay with arenas of their own, which are never trimmed */
	while (h->count < MOST_HELPERS && h->count < wanted &&
	       pthread_create(&h->threads[h->count], NULL, take_turns, work) == 0)
		h->count++;
}

static void join(struct helpers *h)
{
	while (h->count)
		pthread_join(h->threads[--h->count], NULL);
}

/* One CPU is left to the caller. */
static long spare_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) - 1;
}

void load_all(struct load *items, size_t count)
{
	struct work work = {.items = items, .count = count, .done_fd = -1};
	struct helpers helpers = {0};

	start(&helpers, &work, spare_cpus());
	take_turns(&work);
	join(&helpers);
}

int loading_new(struct load *items, size_t count, struct loading **ret_loading)
{
	struct loading *l;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail(-errno, "make a pipe");
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	l = xmalloc(sizeof(*l));
	*l = (struct loading){.work = {.items = items, .count = count, .done_fd = fds[1]}, .fd = fds[0]};
	start(&l->helpers, &l->work, spare_cpus() > 1 ? spare_cpus() : 1);
	if (!l->helpers.count)
		take_turns(&l->work);
	*ret_loading = l;
	return 0;
}

int loading_fd(const struct loading *l)
{
	return l->fd;
}

bool loading_take(struct loading *l, size_t *ret_index)
{
	return read(l->fd, ret_index, sizeof(*ret_index)) == (ssize_t)sizeof(*ret_index);
}

void loading_free(struct loading *l)
{
	if (!l)
		return;
	atomic_store(&l->work.next, l->work.count);
	join(&l->helpers);
	close(l->work.done_fd);
	close(l->fd);
	free(l);
}
