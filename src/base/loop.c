// SPDX-License-Identifier: BSD-2-Clause
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "clock.h"
#include "mem.h"

enum source_kind { SOURCE_FD, SOURCE_TIMER, SOURCE_SIGNAL };

struct loop_source {
	struct loop_source *next;
	enum source_kind kind;
	int fd;
	bool removed;
	loop_handler *handler;
	void *arg;
};

struct loop {
	int epoll_fd;
	bool stop;
	struct loop_source *sources;
};

int loop_new(struct loop **ret_loop)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_loop = xcalloc(1, sizeof(**ret_loop));
	(*ret_loop)->epoll_fd = fd;
	return 0;
}

static void release(struct loop_source *s)
{
	if (s->kind != SOURCE_FD)
		close(s->fd);
	free(s);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	for (struct loop_source *s = l->sources, *next; s; s = next) {
		next = s->next;
		release(s);
	}
	close(l->epoll_fd);
	free(l);
}

static int add(struct loop *l, enum source_kind kind, int fd, uint32_t events, loop_handler *handler,
	       void *arg, struct loop_source **ret_source)
{
	struct loop_source *s = xcalloc(1, sizeof(*s));
	struct epoll_event event = {.events = events, .data.ptr = s};

	*s = (struct loop_source){
		.next = l->sources, .kind = kind, .fd = fd, .handler = handler, .arg = arg};
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int r = -errno;

		release(s);
		return r;
	}
	l->sources = s;
	if (ret_source)
		*ret_source = s;
	return 0;
}

int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_handler *handler, void *arg,
		struct loop_source **ret_source)
{
	return add(l, SOURCE_FD, fd, events, handler, arg, ret_source);
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

int loop_add_timer(struct loop *l, uint64_t first_ns, uint64_t interval_ns, loop_handler *handler,
		   void *arg, struct loop_source **ret_source)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct itimerspec when = {.it_value = to_timespec(first_ns ? first_ns : 1),
				  .it_interval = to_timespec(interval_ns)};

	if (fd < 0)
		return -errno;
	if (timerfd_settime(fd, 0, &when, NULL) < 0) {
		close(fd);
		return -errno;
	}
	return add(l, SOURCE_TIMER, fd, EPOLLIN, handler, arg, ret_source);
}

int loop_add_signal(struct loop *l, int number, loop_handler *handler, void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return add(l, SOURCE_SIGNAL, fd, EPOLLIN, handler, arg, NULL);
}

void loop_remove(struct loop *l, struct loop_source *source)
{
	if (!source || source->removed)
		return;
	source->removed = true;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

/* Removed sources are freed only here: events fetched together with their removal still point at them. */
static void sweep(struct loop *l)
{
	for (struct loop_source **link = &l->sources; *link;) {
		struct loop_source *s = *link;

		if (!s->removed) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		release(s);
	}
}

static int dispatch(struct loop_source *s, uint32_t events)
{
	struct signalfd_siginfo info;
	uint64_t expirations;

	if (s->removed)
		return 0;
	if (s->kind == SOURCE_TIMER && read(s->fd, &expirations, sizeof(expirations)) < 0)
		return 0;
	if (s->kind == SOURCE_SIGNAL) {
		if (read(s->fd, &info, sizeof(info)) != sizeof(info))
			return 0;
		events = info.ssi_signo;
	}
	return s->handler(s->arg, events);
}

static int run_once(struct loop *l)
{
	struct epoll_event events[16];
	int n = epoll_wait(l->epoll_fd, events, ARRAY_SIZE(events), -1), r = 0;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n && r >= 0; i++)
		r = dispatch(events[i].data.ptr, events[i].events);
	sweep(l);
	return r < 0 ? r : 0;
}

int loop_run(struct loop *l)
{
	int r = 0;

	l->stop = false;
	while (!l->stop && r >= 0)
		r = run_once(l);
	return r;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}
