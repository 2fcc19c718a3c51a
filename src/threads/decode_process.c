// SPDX-License-Identifier: BSD-2-Clause
/* Waits for other processes. */
#include "decode.h"

#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "io.h"

/* The children of the thread: with only one there is no doubt whom it waits for. */
static uint32_t only_child(const struct decoding *d)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char path[80], *end;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/children", d->thread->r.tgid,
		 d->thread->r.tid);
	if (read_file(path, 1 << 20, &b) < 0)
		return 0;
	unsigned long child = strtoul(b.data, &end, 10);
	return strspn(end, " \n") == strlen(end) ? (uint32_t)child : 0;
}

static void wait_for_child(struct decoding *d, int64_t child)
{
	struct thread_wait *w = &d->w->wait;

	w->kind = WAIT_CHILD;
	w->bound = true;
	w->pid = child > 0 && raw_same_namespace(d->thread) ? (uint32_t)child : only_child(d);
	if (w->pid)
		w->resource = decode_text(d, "process %u", w->pid);
	else
		w->detail = child < -1 ? decode_text(d, "any of process group %lld", (long long)-child)
				       : "any child";
}

void decode_wait4(struct decoding *d, unsigned argument)
{
	wait_for_child(d, (int32_t)d->argument[argument]);
}

void decode_waitid(struct decoding *d, unsigned argument)
{
	wait_for_child(d, d->argument[argument] == P_PID ? (int32_t)d->argument[argument + 1] : -1);
}

/* Until the child runs another program or ends; it is the thread's newest. */
void decode_vfork(struct decoding *d, unsigned argument)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	struct thread_wait *w = &d->w->wait;
	char path[80];

	w->kind = WAIT_CHILD;
	w->detail = "until it runs another program or ends";
	snprintf(path, sizeof(path), "/proc/%u/task/%u/children", d->thread->r.tgid, d->thread->r.tid);
	if (read_file(path, 1 << 20, &b) < 0)
		return;
	while (b.len && b.data[b.len - 1] == ' ')
		b.data[--b.len] = 0;
	const char *space = strrchr(b.data, ' ');
	w->pid = (uint32_t)strtoul(space ? space : b.data, NULL, 10);
	w->bound = w->pid;
	if (w->pid)
		w->resource = decode_text(d, "process %u", w->pid);
}

static void with_flags(struct decoding *d, uint64_t flags)
{
	d->w->wait.kind = WAIT_KERNEL;
	if (flags & CLONE_VFORK)
		decode_vfork(d, 0);
}

void decode_clone(struct decoding *d, unsigned argument)
{
	with_flags(d, d->argument[argument]);
}

void decode_clone3(struct decoding *d, unsigned argument)
{
	uint64_t flags = 0;

	decode_memory(d, d->argument[argument], &flags, sizeof(flags));
	with_flags(d, flags);
}

/* Readable once its process has ended. */
void decode_pidfd(struct decoding *d, int fd)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	const char *line = space_fdinfo(d->c->space, d->thread->r.tid, fd, &b) ? strstr(b.data, "\nPid:\t") : NULL;
	long pid = line ? strtol(line + strlen("\nPid:\t"), NULL, 10) : 0;

	d->w->wait.kind = WAIT_CHILD;
	if (pid <= 0)
		return;
	d->w->wait.pid = (uint32_t)pid;
	d->w->wait.resource = decode_text(d, "process %ld", pid);
}
