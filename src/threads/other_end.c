// SPDX-License-Identifier: BSD-2-Clause
#include "other_end.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "file_lock.h"
#include "proc_status.h"

#ifndef SYS_pidfd_getfd /* older headers lack them; all architectures have the same numbers */
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static bool has_one_thread(uint32_t pid)
{
	uint64_t threads;

	return proc_status(pid, "Threads", 10, &threads) && threads == 1;
}

/* A socket's own time limit is known to nobody but who has the socket. */
static bool waits_without_end(uint32_t pid, const struct waiting *w)
{
	_cleanup_close_ int process = (int)syscall(SYS_pidfd_open, pid, 0);
	_cleanup_close_ int fd = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, w->fd, 0);
	struct timeval limit;
	socklen_t len = sizeof(limit);

	return fd >= 0 && !getsockopt(fd, SOL_SOCKET, w->writes ? SO_SNDTIMEO : SO_RCVTIMEO, &limit, &len) && !limit.tv_sec && !limit.tv_usec;
}

/* Of what has several threads it is not known which of them would act. A pipe that is full is emptied by its reader alone; to one that
 * is empty, a handler may write, or end its process: many wait so until they are told to stop. */
static bool is_up_to(const struct waiting *w, uint32_t pid, uint32_t peer)
{
	uint64_t harmless = 1 << (SIGINT - 1) | (peer == pid ? 0 : 1 << (SIGCHLD - 1));

	return w->unlimited && has_one_thread(pid) && has_one_thread(peer) && (w->writes || !catches_signals(peer, harmless)) &&
	       (w->wait.kind != WAIT_SOCKET || waits_without_end(pid, w));
}

void other_end_find(struct peers *p, uint32_t pid, struct waiting *waiting, struct arena *memory)
{
	struct thread_wait *w = &waiting->wait;
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	uint32_t peer = 0;
	bool coming = false;

	if (waiting->locked_inode && (w->pid = file_lock_holder(pid, waiting->locked_inode)))
		w->bound = true;
	if (!waiting->inode)
		return;
	if (waiting->listener && peers_listener(p, pid, waiting->listener, &b, &peer)) {
		w->detail = "its queue is full";
	} else if (w->kind == WAIT_SOCKET) {
		if (!peers_socket(p, pid, waiting->inode, &b, &peer, &coming))
			buf_addf(&b, "socket %llu", (unsigned long long)waiting->inode);
	} else {
		buf_addf(&b, "%llu ", (unsigned long long)waiting->inode);
		peers_pipe(p, pid, waiting->inode, !waiting->writes, &b, &peer);
	}
	w->resource = arena_strndup(memory, b.data, b.len);
	if (peer == pid && !has_one_thread(pid))
		peer = 0; /* another thread of it */
	w->pid = peer;
	w->bound = peer && (waiting->writes || !coming) && is_up_to(waiting, pid, peer);
}
