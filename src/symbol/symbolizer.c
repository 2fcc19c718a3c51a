// SPDX-License-Identifier: BSD-2-Clause
#include "symbolizer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "mem.h"
#include "modules.h"
#include "name_client.h"
#include "unwind_client.h"
#include "zygote.h"

#define UNUSED_NS (30 * NS_PER_S)

struct symbolizer {
	struct symbolizer_options options;
	struct symbolizer_stats stats;
	struct zygote zygote;
	struct modules *modules;
	struct name_client *names;
	struct unwind_client *unwind;
	int epoll, timer;
	bool timer_runs;
};

static bool is_due(const struct symbolizer *s)
{
	return name_client_due(s->names) || unwind_client_due(s->unwind);
}

/* It looks after children that hang. Runs on until a second in which nothing is due. */
static void run_timer(struct symbolizer *s, bool wanted)
{
	struct itimerspec when = {0};

	if (s->timer_runs == wanted)
		return;
	if (wanted)
		when.it_value.tv_sec = when.it_interval.tv_sec = 1;
	timerfd_settime(s->timer, 0, &when, NULL);
	s->timer_runs = wanted;
}

static bool timer_expired(struct symbolizer *s, const struct epoll_event *events, int count)
{
	uint64_t expirations;

	for (int i = 0; i < count; i++)
		if (events[i].data.fd == s->timer)
			return read(s->timer, &expirations, sizeof(expirations)) > 0;
	return false;
}

int symbolizer_dispatch(struct symbolizer *s)
{
	struct epoll_event events[8];
	int count = epoll_wait(s->epoll, events, ARRAY_SIZE(events), 0);
	bool expired = timer_expired(s, events, count);

	if (count < 0 && errno != EINTR)
		return -errno;
	name_client_dispatch(s->names, events, count);
	unwind_client_dispatch(s->unwind, events, count);
	name_client_send(s->names); /* what answers have brought up, before the slice ends that they are for */
	if (expired)
		unwind_client_trim(s->unwind);
	if (is_due(s))
		run_timer(s, true);
	else if (expired)
		run_timer(s, false);
	return 0;
}

/* Answers are due from now on, if the question was taken. */
static int asked(struct symbolizer *s, int r)
{
	if (r == 0)
		run_timer(s, true);
	return r;
}

int symbolizer_request(struct symbolizer *s, int module, uint64_t offset, uint32_t frame)
{
	return asked(s, name_client_ask(s->names, module, offset, frame));
}

int symbolizer_request_code(struct symbolizer *s, int module, uint64_t offset, uint64_t size, uint32_t function)
{
	return asked(s, name_client_ask_code(s->names, module, offset, size, function));
}

int symbolizer_request_loops(struct symbolizer *s, const void *bytes, uint32_t size, uint64_t start, uint64_t at, uint32_t function)
{
	return asked(s, name_client_ask_loops(s->names, bytes, size, start, at, function));
}

void symbolizer_flush(struct symbolizer *s, uint64_t timeout_ns)
{
	uint64_t start = clock_mono_ns(), now = start;
	struct pollfd wait = {.fd = s->epoll, .events = POLLIN};

	symbolizer_send(s);
	while (is_due(s) && now - start < timeout_ns && symbolizer_dispatch(s) >= 0) {
		if (!is_due(s))
			return;
		uint64_t left_ms = (timeout_ns - (now - start)) / NS_PER_MS + 1;
		poll(&wait, 1, left_ms < 1000 ? (int)left_ms : 1000);
		now = clock_mono_ns();
	}
}

int symbolizer_space(struct symbolizer *s, uint32_t space, const struct symbol_space_mapping *m,
		     size_t count)
{
	return unwind_client_space(s->unwind, space, m, count);
}

void symbolizer_forget_space(struct symbolizer *s, uint32_t space)
{
	unwind_client_forget_space(s->unwind, space);
}

int symbolizer_unwind(struct symbolizer *s, uint32_t space, const struct unwind_regs *regs,
		      const struct stack_copy *stack, uint64_t cookie)
{
	if (!s->options.unwound)
		return -EINVAL;
	return asked(s, unwind_client_unwind(s->unwind, space, regs, stack, cookie));
}

void symbolizer_send(struct symbolizer *s)
{
	unwind_client_send(s->unwind);
	name_client_send(s->names);
}

bool symbolizer_has_news(const struct symbolizer *s)
{
	return unwind_client_has_news(s->unwind);
}

int symbolizer_kernel(struct symbolizer *s)
{
	return (int)modules_kernel(s->modules);
}

int symbolizer_vdso(struct symbolizer *s)
{
	return (int)modules_vdso(s->modules);
}

int symbolizer_perf_map(struct symbolizer *s, pid_t pid)
{
	return (int)modules_perf_map(s->modules, pid);
}

int symbolizer_elf(struct symbolizer *s, const struct symbol_mapping *m)
{
	if (!m->path || !*m->path)
		return -EINVAL;
	return (int)modules_elf(s->modules, m);
}

int symbolizer_python(struct symbolizer *s, const struct symbol_mapping *m)
{
	return (int)modules_python(s->modules, m);
}

int symbolizer_marks(struct symbolizer *s, const struct symbol_mapping *m)
{
	return (int)modules_marks(s->modules, m);
}

void symbolizer_use(struct symbolizer *s, int module)
{
	if (module >= 0)
		modules_use(s->modules, (uint32_t)module);
}

void symbolizer_forget_unused(struct symbolizer *s)
{
	name_client_use_modules(s->names);
	unwind_client_use_modules(s->unwind);
	modules_forget_unused(s->modules);
}

int symbolizer_open(const struct symbolizer *s, int module)
{
	const struct module *m = module < 0 ? NULL : modules_get(s->modules, (uint32_t)module);

	return m ? modules_copy_fd(m) : -ENOENT;
}

void symbolizer_forget_process(struct symbolizer *s, pid_t pid)
{
	modules_forget_process(s->modules, pid);
}

bool symbolizer_module_build_id(const struct symbolizer *s, int module, uint8_t ret_id[20],
				size_t *ret_len)
{
	const struct module *m = module < 0 ? NULL : modules_get(s->modules, (uint32_t)module);

	if (!m || !m->build_id_len)
		return false;
	memcpy(ret_id, m->build_id, m->build_id_len);
	*ret_len = m->build_id_len;
	return true;
}

const struct symbolizer_stats *symbolizer_stats(const struct symbolizer *s)
{
	return &s->stats;
}

int symbolizer_fd(const struct symbolizer *s)
{
	return s->epoll;
}

int symbolizer_new(const struct symbolizer_options *options, struct symbolizer **ret)
{
	_cleanup_(symbolizer_freep) struct symbolizer *s = xcalloc(1, sizeof(*s));

	s->options = *options;
	if (!s->options.unused_ns)
		s->options.unused_ns = UNUSED_NS;
	s->zygote.control = -1;
	s->modules = modules_new(&s->stats);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	int error = errno;
	s->names = name_client_new(&s->options, &s->zygote, s->modules, s->epoll, &s->stats);
	s->unwind = unwind_client_new(&s->options, &s->zygote, s->modules, s->epoll, &s->stats);
	if (s->epoll < 0 || s->timer < 0)
		return fail(-error, "set up the symbol parser");
	epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->timer, &(struct epoll_event){.events = EPOLLIN, .data.fd = s->timer});
	int r = zygote_init(&s->zygote);
	if (r < 0)
		return r;
	if (!name_client_start(s->names))
		return failx(-EPIPE, "the symbol parser did not start");
	*ret = s;
	s = NULL;
	return 0;
}

void symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return;
	unwind_client_free(s->unwind);
	name_client_free(s->names);
	zygote_done(&s->zygote);
	if (s->epoll >= 0)
		close(s->epoll);
	if (s->timer >= 0)
		close(s->timer);
	modules_free(s->modules);
	free(s);
}
