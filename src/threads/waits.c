// SPDX-License-Identifier: BSD-2-Clause
#include "waits.h"

#include <linux/futex.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include "buf.h"
#include "decode.h"
#include "mem.h"
#include "proc_status.h"
#include "registers.h"
#include "text.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* struct futex_waitv of <linux/futex.h>, which older headers lack. */
struct waitv_entry {
	uint64_t value, address;
	uint32_t flags, reserved;
};

struct call {
	const char *name;
	void (*decode)(struct decoding *d, unsigned argument);
	unsigned argument; /* which one the decoder looks at */
	bool writes;
};

const char *decode_text(const struct decoding *d, const char *format, ...)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_addv(&b, format, args);
	va_end(args);
	return arena_strndup(d->c->memory, b.data, b.len);
}

bool decode_memory(const struct decoding *d, uint64_t address, void *to, size_t len)
{
	return d->c->space && address && space_read_all(d->c->space, address, to, len);
}

/* "socket:[123]" with kind "socket:[" gives 123. */
static uint64_t inode_in(const char *target, const char *kind)
{
	return starts_with(target, kind) ? strtoull(target + strlen(kind), NULL, 10) : 0;
}

static void describe_descriptor(struct decoding *d, int fd)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	struct thread_wait *w = &d->w->wait;
	const char *anonymous = "anon_inode:";

	w->kind = WAIT_FILE;
	w->detail = decode_text(d, "descriptor %d", fd);
	d->w->fd = fd;
	if (!d->c->space || !space_descriptor(d->c->space, d->thread->r.tid, fd, &b))
		return;
	if ((d->w->inode = inode_in(b.data, "socket:[")))
		w->kind = WAIT_SOCKET;
	else if ((d->w->inode = inode_in(b.data, "pipe:[")))
		w->kind = WAIT_PIPE;
	else if (!strcmp(b.data, "anon_inode:[pidfd]"))
		decode_pidfd(d, fd);
	else if (starts_with(b.data, anonymous))
		w->resource = decode_text(d, "%s", b.data + strlen(anonymous));
	else
		w->resource = decode_text(d, "%s", b.data);
}

static void on_descriptor(struct decoding *d, unsigned argument)
{
	describe_descriptor(d, (int)d->argument[argument]);
	d->w->unlimited = true;
}

/* For data, or for room where they go: one does not see which of the two lacks. */
static void on_either_end(struct decoding *d, unsigned argument)
{
	describe_descriptor(d, (int)d->argument[argument]);
}

/* An abstract name begins with a NUL and has any bytes. */
static const char *name_of_unix(const struct decoding *d, const struct sockaddr_un *to, size_t len)
{
	char name[sizeof(to->sun_path) + 1] = {0};

	for (size_t i = 0; i < len && (to->sun_path[i] || !to->sun_path[0]); i++)
		name[i] = to->sun_path[i] ? to->sun_path[i] : '@';
	return *name ? decode_text(d, "%s", name) : NULL;
}

static void on_connect(struct decoding *d, unsigned argument)
{
	struct sockaddr_un to = {0};
	size_t len = d->argument[2] < sizeof(to) ? d->argument[2] : sizeof(to), head = offsetof(struct sockaddr_un, sun_path);

	describe_descriptor(d, (int)d->argument[argument]);
	if (len > head && decode_memory(d, d->argument[1], &to, len) && to.sun_family == AF_UNIX)
		d->w->listener = name_of_unix(d, &to, len - head);
}

static void on_queue_file(struct decoding *d, unsigned argument)
{
	describe_descriptor(d, (int)d->argument[argument]);
	d->w->wait.kind = WAIT_QUEUE;
}

/* For fcntl() it is the command of waiting for a lock that makes a thread sleep. */
static void on_file_lock(struct decoding *d, unsigned argument)
{
	char path[64];
	struct stat st;

	describe_descriptor(d, (int)d->argument[argument]);
	snprintf(path, sizeof(path), "/proc/%u/task/%u/fd/%d", d->thread->r.tgid, d->thread->r.tid, (int)d->argument[argument]);
	if (d->w->wait.kind == WAIT_FILE && !stat(path, &st))
		d->w->locked_inode = st.st_ino;
}

static const char *duration(const struct decoding *d, const struct timespec *t)
{
	return decode_text(d, "%lld.%03ld s", (long long)t->tv_sec, t->tv_nsec / 1000000);
}

/* Clocks that run for all alike; others may be of a process that is not ours. */
static bool is_common(clockid_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_TAI;
}

static const char *time_left(const struct decoding *d, clockid_t clock, const struct timespec *until)
{
	struct timespec now;

	if (!is_common(clock) || clock_gettime(clock, &now) < 0)
		return decode_text(d, "until %s of clock %d", duration(d, until), clock);
	/* What stands there may be anything by now. */
	double left = (double)until->tv_sec - (double)now.tv_sec + ((double)until->tv_nsec - (double)now.tv_nsec) / 1e9;
	return left > 0 ? decode_text(d, "for %.3f s more", left) : "that is over now";
}

static void on_sleep(struct decoding *d, unsigned argument)
{
	bool until = argument == 2 && d->argument[1] & TIMER_ABSTIME;
	struct timespec t;

	d->w->wait.kind = WAIT_SLEEP;
	if (!decode_memory(d, d->argument[argument], &t, sizeof(t)))
		return;
	d->w->wait.detail = until ? time_left(d, (clockid_t)d->argument[0], &t) : decode_text(d, "for %s", duration(d, &t));
}

static void on_poll(struct decoding *d, unsigned argument)
{
	uint64_t count = d->argument[argument];
	struct pollfd one;

	if (count == 1 && decode_memory(d, d->argument[0], &one, sizeof(one)) && one.fd >= 0) {
		d->w->writes = one.events & POLLOUT && !(one.events & POLLIN);
		describe_descriptor(d, one.fd);
		return;
	}
	d->w->wait.kind = count ? WAIT_POLL : WAIT_SLEEP;
	if (count)
		d->w->wait.detail = decode_text(d, "%llu descriptors", (unsigned long long)count);
}

static void on_select(struct decoding *d, unsigned argument)
{
	d->w->wait.kind = d->argument[argument] ? WAIT_POLL : WAIT_SLEEP;
	if (d->argument[argument])
		d->w->wait.detail = decode_text(d, "descriptors below %d", (int)d->argument[argument]);
}

static void on_epoll(struct decoding *d, unsigned argument)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int fd = (int)d->argument[argument];
	unsigned count = 0;

	d->w->wait.kind = WAIT_EPOLL;
	d->w->wait.resource = decode_text(d, "descriptor %d", fd);
	if (!d->c->space || !space_fdinfo(d->c->space, d->thread->r.tid, fd, &b))
		return;
	for (const char *at = b.data; (at = strstr(at, "tfd:")); at += 4)
		count++;
	d->w->wait.detail = decode_text(d, "%u descriptor%s", count, count == 1 ? "" : "s");
}

static void on_signal(struct decoding *d, unsigned argument)
{
	d->w->wait.kind = WAIT_SIGNAL;
}

bool catches_signals(uint32_t pid, uint64_t but)
{
	enum { OF_THE_LIBRARY = 3 }; /* the C library catches two of its own to tell its threads of something */
	uint64_t caught;

	return !proc_status(pid, "SigCgt", 16, &caught) || caught & ~((uint64_t)OF_THE_LIBRARY << 31 | but);
}

/* Until a handler has run. */
static void on_pause(struct decoding *d, unsigned argument)
{
	d->w->wait.kind = WAIT_SIGNAL;
	d->w->for_ever = !catches_signals(d->thread->r.tgid, 0);
}

static void on_path(struct decoding *d, unsigned argument)
{
	char path[256];
	size_t n = d->c->space ? space_read(d->c->space, d->argument[argument], path, sizeof(path))
			       : 0;

	d->w->wait.kind = WAIT_FILE;
	if (n)
		d->w->wait.resource = arena_strndup(d->c->memory, path, strnlen(path, n));
}

static void on_other(struct decoding *d, unsigned argument)
{
	d->w->wait.kind = WAIT_KERNEL;
}

bool is_live_thread(uint32_t tid, uint32_t *ret_pid)
{
	uint64_t pid;

	if (!proc_status(tid, "Tgid", 10, &pid))
		return false;
	*ret_pid = (uint32_t)pid;
	return true;
}

static bool is_thread(void *arg, uint32_t tid, bool shared)
{
	const struct decoding *d = arg;
	uint32_t pid;

	if (raw_find_own(d->c->threads, d->thread->r.tgid, tid))
		return true;
	return shared && raw_same_namespace(d->thread) && is_live_thread(tid, &pid);
}

/* Memory holds the number that the owner has in its own namespace. */
static uint32_t number_here(const struct decoding *d, uint32_t tid)
{
	const struct raw_thread *t =
		tid ? raw_find_own(d->c->threads, d->thread->r.tgid, tid) : NULL;

	return t ? t->r.tid : tid;
}

static void look_at_futex(struct decoding *d, struct lock_look *look)
{
	struct waiting *w = d->w;

	w->is_futex = true;
	w->timed = look->timed;
	w->wait.address = look->address;
	look->readable =
		look->address > LOCK_BEFORE &&
		decode_memory(d, look->address - LOCK_BEFORE, look->memory, sizeof(look->memory));
	/* A lock at the very end or beginning of a mapping: what is there of it will do. */
	if (!look->readable && look->address > LOCK_BEFORE && d->c->space) {
		uint8_t *at = look->memory + LOCK_BEFORE;

		look->readable =
			space_read(d->c->space, look->address, at, LOCK_AROUND - LOCK_BEFORE) >= 4;
	}
	lock_guess(look, is_thread, d, &w->guess);
	for (int kind = 0; kind < WAIT_KINDS; kind++)
		w->guess.owner[kind] = number_here(d, w->guess.owner[kind]);
}

static void on_futex(struct decoding *d, unsigned argument)
{
	struct lock_look look = {.address = d->argument[0],
				 .operation = (uint32_t)d->argument[1],
				 .value = (uint32_t)d->argument[2],
				 .timed = d->argument[3]};

	look_at_futex(d, &look);
}

static void on_futex_waitv(struct decoding *d, unsigned argument)
{
	struct waitv_entry first;

	d->w->wait.kind = WAIT_FUTEX;
	d->w->wait.detail = decode_text(d, "the first of %u", (unsigned)d->argument[1]);
	if (!decode_memory(d, d->argument[0], &first, sizeof(first)))
		return;
	d->w->wait.address = first.address;
	if (d->argument[1] != 1)
		return;
	struct lock_look look = {.address = first.address,
				 .value = (uint32_t)first.value,
				 .timed = d->argument[3],
				 .operation = FUTEX_WAIT_BITSET |
					      (int)(first.flags & FUTEX_PRIVATE_FLAG)};
	d->w->wait.detail = NULL;
	look_at_futex(d, &look);
}

static const struct call calls[] = {
	[SYS_read] = {"read", on_descriptor},
	[SYS_write] = {"write", on_descriptor, .writes = true},
	[SYS_pread64] = {"pread64", on_descriptor},
	[SYS_pwrite64] = {"pwrite64", on_descriptor, .writes = true},
	[SYS_readv] = {"readv", on_descriptor},
	[SYS_writev] = {"writev", on_descriptor, .writes = true},
	[SYS_preadv] = {"preadv", on_descriptor},
	[SYS_pwritev] = {"pwritev", on_descriptor, .writes = true},
	[SYS_preadv2] = {"preadv2", on_descriptor},
	[SYS_pwritev2] = {"pwritev2", on_descriptor, .writes = true},
	[SYS_fsync] = {"fsync", on_descriptor, .writes = true},
	[SYS_fdatasync] = {"fdatasync", on_descriptor, .writes = true},
	[SYS_sync_file_range] = {"sync_file_range", on_descriptor, .writes = true},
	[SYS_syncfs] = {"syncfs", on_descriptor, .writes = true},
	[SYS_fallocate] = {"fallocate", on_descriptor, .writes = true},
	[SYS_ftruncate] = {"ftruncate", on_descriptor, .writes = true},
	[SYS_sendfile] = {"sendfile", on_descriptor, .writes = true},
	[SYS_splice] = {"splice", on_either_end},
	[SYS_copy_file_range] = {"copy_file_range", on_descriptor},
	[SYS_getdents64] = {"getdents64", on_descriptor},
	[SYS_ioctl] = {"ioctl", on_descriptor},
	[SYS_flock] = {"flock", on_file_lock},
	[SYS_fcntl] = {"fcntl", on_file_lock},
	[SYS_recvfrom] = {"recvfrom", on_descriptor},
	[SYS_recvmsg] = {"recvmsg", on_descriptor},
	[SYS_recvmmsg] = {"recvmmsg", on_descriptor},
	[SYS_sendto] = {"sendto", on_descriptor, .writes = true},
	[SYS_sendmsg] = {"sendmsg", on_descriptor, .writes = true},
	[SYS_sendmmsg] = {"sendmmsg", on_descriptor, .writes = true},
	[SYS_accept] = {"accept", on_descriptor},
	[SYS_accept4] = {"accept4", on_descriptor},
	[SYS_connect] = {"connect", on_connect, .writes = true},
	[SYS_io_uring_enter] = {"io_uring_enter", on_descriptor},
	[SYS_openat] = {"openat", on_path, 1},
	[SYS_newfstatat] = {"newfstatat", on_path, 1},
	[SYS_statx] = {"statx", on_path, 1},
	[SYS_unlinkat] = {"unlinkat", on_path, 1},
	[SYS_execve] = {"execve", on_path, 0},
	[SYS_ppoll] = {"ppoll", on_poll, 1},
	[SYS_pselect6] = {"pselect6", on_select, 0},
	[SYS_epoll_pwait] = {"epoll_pwait", on_epoll, 0},
	[441] = {"epoll_pwait2", on_epoll, 0},
	[SYS_nanosleep] = {"nanosleep", on_sleep, 0},
	[SYS_clock_nanosleep] = {"clock_nanosleep", on_sleep, 2},
	[SYS_wait4] = {"wait4", decode_wait4, 0},
	[SYS_waitid] = {"waitid", decode_waitid, 0},
	[SYS_rt_sigsuspend] = {"rt_sigsuspend", on_pause},
	[SYS_rt_sigtimedwait] = {"rt_sigtimedwait", on_signal},
	[SYS_futex] = {"futex", on_futex},
	[SYS_futex_waitv] = {"futex_waitv", on_futex_waitv},
	[SYS_sync] = {"sync", on_other},
	[SYS_mmap] = {"mmap", on_other},
	[SYS_munmap] = {"munmap", on_other},
	[SYS_mprotect] = {"mprotect", on_other},
	[SYS_madvise] = {"madvise", on_other},
	[SYS_brk] = {"brk", on_other},
	[SYS_clone] = {"clone", decode_clone},
	[SYS_exit] = {"exit", on_other},
	[SYS_exit_group] = {"exit_group", on_other},
	[SYS_msgrcv] = {"msgrcv", decode_message_queue},
	[SYS_msgsnd] = {"msgsnd", decode_message_queue},
	[SYS_semop] = {"semop", decode_semaphores},
	[SYS_semtimedop] = {"semtimedop", decode_semaphores},
	[SYS_mq_timedsend] = {"mq_timedsend", on_queue_file, .writes = true},
	[SYS_mq_timedreceive] = {"mq_timedreceive", on_queue_file},
	[435] = {"clone3", decode_clone3},
	[SYS_io_getevents] = {"io_getevents", on_other},
	[SYS_restart_syscall] = {"restart_syscall", on_other},
#ifdef SYS_open /* architectures younger than x86 lack the calls that newer ones have replaced */
	[SYS_open] = {"open", on_path, 0},
	[SYS_stat] = {"stat", on_path, 0},
	[SYS_unlink] = {"unlink", on_path, 0},
	[SYS_rename] = {"rename", on_path, 0},
	[SYS_mkdir] = {"mkdir", on_path, 0},
	[SYS_poll] = {"poll", on_poll, 1},
	[SYS_select] = {"select", on_select, 0},
	[SYS_epoll_wait] = {"epoll_wait", on_epoll, 0},
	[SYS_pause] = {"pause", on_pause},
	[SYS_vfork] = {"vfork", decode_vfork},
#endif
};

static void call_wait(struct decoding *d, uint64_t number)
{
	const struct call *call =
		number < ARRAY_SIZE(calls) && calls[number].name ? &calls[number] : NULL;

	d->w->wait.kind = WAIT_KERNEL;
	if (number == (uint64_t)-1)
		return; /* not in a system call: a fault, or an interrupt */
	if (!call) {
		d->w->wait.call = decode_text(d, "system call %llu", (unsigned long long)number);
		return;
	}
	d->w->wait.call = call->name;
	d->w->writes = call->writes;
	call->decode(d, call->argument);
}

void waiting_read(const struct wait_context *c, const struct raw_thread *t, struct waiting *ret)
{
	struct decoding d = {.c = c, .thread = t, .w = ret};

	*ret = (struct waiting){0};
	if (!raw_is_still(t) || !t->r.state)
		return;
	ret->wait.kind = WAIT_KERNEL;
	if (!(t->r.flags & THREAD_HAS_REGISTERS))
		return;
	for (unsigned i = 0; i < 6; i++)
		d.argument[i] = t->r.registers[register_of_argument(i)];
	if (!t->few_registers && registers_are_32_bit(t->r.registers)) {
		ret->wait.detail = "in a system call of a 32-bit program";
		return;
	}
	call_wait(&d, (uint64_t)registers_call(t->r.registers));
}

/* The function that a program called to wait: the first name that tells, close to the leaf. */
static const char *telling_function(const char *const *user, size_t count)
{
	for (size_t i = 0; i < count && i < 6; i++)
		if (lock_kind_of_function(user[i]) != WAIT_KINDS)
			return user[i];
	return NULL;
}

static void finish_futex(struct waiting *w, const char *function)
{
	struct thread_wait *wait = &w->wait;
	enum wait_kind kind = lock_decide(&w->guess, function, &wait->unsure);
	/* The name and the memory may speak of different things, such as a mutex inside of a wait
	 * for a condition. */
	bool fits = w->guess.possible & 1u << kind;

	wait->kind = kind;
	if (fits && w->guess.base[kind])
		wait->address = w->guess.base[kind];
	wait->tid = fits ? w->guess.owner[kind] : 0;
	wait->bound = wait->tid && !w->timed;
	if (kind == WAIT_MUTEX)
		wait->detail = w->guess.flavour;
	else if (kind == WAIT_RWLOCK_READ || kind == WAIT_RWLOCK_WRITE)
		wait->detail = w->guess.holders;
	if (w->timed && !wait->detail)
		wait->detail = "with a time limit";
}

struct kernel_function {
	const char *prefix;
	enum wait_kind kind;
	const char *detail;
};

static const struct kernel_function kernel_functions[] = {
	{"asm_exc_page_fault", WAIT_FAULT, NULL},
	{"exc_page_fault", WAIT_FAULT, NULL},
	{"do_exit", WAIT_KERNEL, "is ending"},
	{"kernel_clone", WAIT_KERNEL, NULL},
	{"rwsem_down_", WAIT_KERNEL, "a kernel lock (rwsem)"},
	{"__mutex_lock", WAIT_KERNEL, "a kernel mutex"},
	{"futex_wait", WAIT_FUTEX, "resumed after it was stopped"},
	{"hrtimer_nanosleep", WAIT_SLEEP, "resumed after it was stopped"},
	{"do_sys_poll", WAIT_POLL, "resumed after it was stopped"},
};

static void finish_kernel(struct waiting *w, const char *const *kernel, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < ARRAY_SIZE(kernel_functions); k++) {
			const struct kernel_function *f = &kernel_functions[k];

			if (!starts_with(kernel[i], f->prefix))
				continue;
			w->wait.kind = f->kind;
			w->wait.detail = f->detail;
			return;
		}
}

void waiting_finish(struct waiting *w, const char *const *user, size_t user_count,
		    const char *const *kernel, size_t kernel_count)
{
	if (w->is_futex)
		finish_futex(w, telling_function(user, user_count));
	else if (w->wait.kind == WAIT_KERNEL && !w->wait.detail)
		finish_kernel(w, kernel, kernel_count);
	if (w->moved && w->wait.kind != WAIT_NONE) {
		w->wait.bound = false;
		w->wait.unsure = "it ran while this was read";
	}
}

uint64_t waiting_unowned(const struct waiting *w)
{
	return w->is_futex && !w->moved && !w->wait.tid ? w->guess.base[WAIT_FUTEX] : 0;
}

bool waiting_is_lock(const struct waiting *w)
{
	return waiting_unowned(w) && !w->timed && w->guess.possible & 1u << WAIT_LOCK;
}

bool waiting_is_semaphore(const struct waiting *w)
{
	return waiting_unowned(w) && !w->timed && lock_is_semaphore(&w->guess);
}

bool waiting_inside(const struct waiting *w)
{
	return (w->is_futex && w->guess.is_private) || w->wait.kind == WAIT_JOIN || w->wait.kind == WAIT_SLEEP || w->for_ever;
}

void waiting_owned(struct waiting *w, const struct sleeper *s, uint32_t tid)
{
	if (s->lock || (w->wait.kind != WAIT_MUTEX && !s->is_semaphore))
		w->wait.kind = WAIT_LOCK;
	w->wait.address = s->lock ? s->lock : w->guess.base[WAIT_FUTEX];
	w->wait.resource = s->name;
	w->wait.tid = tid;
	w->wait.bound = (!w->timed || s->wakes) && !s->open;
	w->wait.unsure = s->unsure;
	if (w->wait.bound)
		w->wait.detail = NULL;
}
