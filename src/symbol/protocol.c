// SPDX-License-Identifier: BSD-2-Clause
#include "protocol.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void record_pad(struct buf *b, size_t size)
{
	static const char zeros[8];

	buf_add(b, zeros, record_padded(size) - size);
}

union control {
	char bytes[CMSG_SPACE(PACKET_FDS * sizeof(int))];
	struct cmsghdr align;
};

void packet_reset(struct packet *p)
{
	for (unsigned i = 0; i < p->fd_count; i++)
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	p->fd_count = 0;
	buf_reset(&p->data);
}

void packet_done(struct packet *p)
{
	packet_reset(p);
	buf_done(&p->data);
}

int packet_send(int socket, const struct packet *p)
{
	union control control = {0};
	struct iovec data = {.iov_base = p->data.data, .iov_len = p->data.len};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

	if (p->fd_count) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(p->fd_count * sizeof(int));
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		*head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
					 .cmsg_len = CMSG_LEN(p->fd_count * sizeof(int))};
		memcpy(CMSG_DATA(head), p->fds, p->fd_count * sizeof(int));
	}
	for (;;) {
		if (sendmsg(socket, &message, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		return errno == EWOULDBLOCK || errno == ENOBUFS ? -EAGAIN : -errno;
	}
}

static void take_descriptors(struct packet *p, struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fds[PACKET_FDS];

		memcpy(fds, CMSG_DATA(c), count * sizeof(int));
		for (size_t i = 0; i < count; i++)
			p->fds[p->fd_count++] = fds[i];
	}
}

int packet_receive(int socket, struct packet *p, bool wait)
{
	union control control;
	struct iovec data;
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	ssize_t n;

	packet_reset(p);
	buf_grow(&p->data, PACKET_MAX);
	data = (struct iovec){.iov_base = p->data.data, .iov_len = PACKET_MAX};
	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	take_descriptors(p, &message);
	if (n == 0 || message.msg_flags & MSG_TRUNC)
		return n == 0 ? -EPIPE : -EBADMSG;
	p->data.len = (size_t)n;
	p->data.data[n] = 0;
	return 0;
}

int packet_take_fd(struct packet *p)
{
	for (unsigned i = 0; i < p->fd_count; i++) {
		int fd = p->fds[i];

		p->fds[i] = -1;
		if (fd >= 0)
			return fd;
	}
	return -1;
}

const struct record *packet_next(const struct packet *p, size_t *position)
{
	static const size_t minimum[RECORD_TYPES] = {
		[RECORD_MODULE] = sizeof(struct record_module),
		[RECORD_RESOLVE] = sizeof(struct record_resolve),
		[RECORD_HELLO] = sizeof(struct record_hello),
		[RECORD_MODULE_INFO] = sizeof(struct record_module_info),
		[RECORD_ANSWER] = sizeof(struct record_answer),
		[RECORD_USAGE] = sizeof(struct record_usage),
		[RECORD_SETUP] = sizeof(struct record_setup),
		[RECORD_SPACE] = sizeof(struct record_space),
		[RECORD_FORGET_SPACE] = sizeof(struct record_forget_space),
		[RECORD_UNWIND] = sizeof(struct record_unwind),
		[RECORD_UNWOUND] = sizeof(struct record_unwound),
		[RECORD_EXPLAINED] = sizeof(struct record_explained),
		[RECORD_TABLES] = sizeof(struct record_tables),
		[RECORD_CODE] = sizeof(struct record_code),
		[RECORD_CODE_ANSWER] = sizeof(struct record_code_answer),
		[RECORD_CALLEES] = sizeof(struct record_answer),
		[RECORD_GENERATED] = sizeof(struct record_generated),
		[RECORD_WAIT_LOOPS] = sizeof(struct record_wait_loops),
		[RECORD_FORGET_MODULE] = sizeof(struct record_forget_module),
	};
	size_t left = p->data.len - *position;
	const struct record *r = (const void *)(p->data.data + *position);

	if (left < sizeof(*r) || r->type >= RECORD_TYPES || r->size > left ||
	    r->size < minimum[r->type] || r->size % 8)
		return NULL;
	*position += r->size;
	return r;
}
