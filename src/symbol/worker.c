// SPDX-License-Identifier: BSD-2-Clause
#include "worker.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"

#define STARTS_BURST 8 /* children started in a row; then one a START_NS */
#define START_NS (2 * NS_PER_S)
#define FILES_A_TURN 64 /* the capture has other things to do, too */

void worker_init(struct worker *w, struct zygote *zygote, enum child_kind kind, int epoll)
{
	*w = (struct worker){.zygote = zygote,
			     .kind = kind,
			     .epoll = epoll,
			     .socket = -1,
			     .files = -1,
			     .out.data = BUF_INIT,
			     .in.data = BUF_INIT,
			     .starts_left = STARTS_BURST,
			     .starts_counted_ns = clock_mono_ns()};
}

void worker_done(struct worker *w)
{
	worker_stop(w);
	packet_done(&w->out);
	packet_done(&w->in);
}

static bool may_start(struct worker *w)
{
	uint64_t now = clock_mono_ns();

	w->starts_left += (double)(now - w->starts_counted_ns) / (double)START_NS;
	w->starts_counted_ns = now;
	if (w->starts_left > STARTS_BURST)
		w->starts_left = STARTS_BURST;
	if (w->starts_left < 1)
		return false;
	w->starts_left--;
	return true;
}

static void watch(struct worker *w, int fd, int operation, uint32_t events)
{
	epoll_ctl(w->epoll, operation, fd, &(struct epoll_event){.events = events, .data.fd = fd});
}

bool worker_start(struct worker *w)
{
	if (w->socket >= 0 || w->broken || !may_start(w))
		return false;
	int r = zygote_spawn(w->zygote, w->kind, &w->socket, &w->files);
	w->broken = r == -EPIPE || r == -ECONNRESET;
	if (r < 0)
		return false;
	w->polls_writable = w->readable = w->asks = false;
	w->heard_ns = clock_mono_ns();
	watch(w, w->socket, EPOLL_CTL_ADD, EPOLLIN);
	watch(w, w->files, EPOLL_CTL_ADD, EPOLLIN);
	return true;
}

void worker_stop(struct worker *w)
{
	packet_reset(&w->out);
	if (w->socket < 0)
		return;
	close(w->socket);
	close(w->files);
	w->socket = w->files = -1;
}

void worker_look(struct worker *w, const struct epoll_event *events, int count)
{
	const uint32_t in = EPOLLIN | EPOLLHUP | EPOLLERR;

	w->readable = w->asks = false;
	for (int i = 0; i < count; i++) {
		w->readable |= events[i].data.fd == w->socket && events[i].events & in;
		w->asks |= events[i].data.fd == w->files && events[i].events & in;
	}
}

int worker_send(struct worker *w)
{
	if (!w->out.data.len)
		return 0;
	int r = w->socket < 0 ? -EPIPE : packet_send(w->socket, &w->out);
	if (r == 0)
		packet_reset(&w->out);
	return r;
}

int worker_receive(struct worker *w)
{
	if (!w->readable)
		return -EAGAIN;
	int r = packet_receive(w->socket, &w->in, false);
	if (r != -EAGAIN)
		w->heard_ns = clock_mono_ns();
	return r;
}

static void serve_file(struct worker *w, worker_opener *opener, void *arg)
{
	struct packet reply = {.data = BUF_INIT};
	struct file_wanted wanted;
	size_t len = w->in.data.len;
	int fd = -1;

	buf_addch(&reply.data, 0);
	if (len >= sizeof(wanted)) {
		memcpy(&wanted, w->in.data.data, sizeof(wanted));
		if (wanted.len == len - sizeof(wanted))
			fd = opener(arg, &wanted, w->in.data.data + sizeof(wanted), &reply.data);
	}
	if (fd >= 0)
		reply.fds[reply.fd_count++] = fd;
	packet_send(w->files, &reply);
	packet_done(&reply);
	w->heard_ns = clock_mono_ns();
}

bool worker_take(const struct worker *w, worker_record *const handlers[RECORD_TYPES], void *arg)
{
	const struct record *record;
	size_t position = 0;

	while ((record = packet_next(&w->in, &position)))
		if (!handlers[record->type] || !handlers[record->type](arg, record))
			return false;
	return position == w->in.data.len;
}

int worker_serve_files(struct worker *w, worker_opener *opener, void *arg)
{
	for (int i = 0; w->asks && i < FILES_A_TURN && w->files >= 0; i++) {
		int r = packet_receive(w->files, &w->in, false);

		if (r < 0)
			return r == -EAGAIN ? 0 : r;
		serve_file(w, opener, arg);
	}
	return 0;
}

void worker_poll_writable(struct worker *w, bool wanted)
{
	if (w->socket < 0 || w->polls_writable == wanted)
		return;
	w->polls_writable = wanted;
	watch(w, w->socket, EPOLL_CTL_MOD, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

uint32_t worker_module(const struct worker *w)
{
	return w->zygote->progress[w->kind].module;
}
