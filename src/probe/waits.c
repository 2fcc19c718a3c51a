// SPDX-License-Identifier: BSD-2-Clause
#include "waits.h"

#include <sys/syscall.h>

#include "mem.h"

enum {
	FILE_KEY = WAIT_KEY_FD | WAIT_BY_FILE,
	LOOP = WAIT_KEY_FD | WAIT_FOR_MANY,
	SYNC = WAIT_KEY_FD | WAIT_ANYHOW, /* a journal's commit is awaited without being counted as I/O */
};

/* Architectures younger than x86 lack the calls that newer ones have replaced. */
#define CALL(name, state, flags) {SYS_##name, {.cause = STATE_##state, .how = flags}}

static const struct {
	unsigned int number;
	struct syscall_wait wait;
} calls[] = {
	CALL(read, OTHER, FILE_KEY), CALL(write, OTHER, FILE_KEY), CALL(readv, OTHER, FILE_KEY),
	CALL(writev, OTHER, FILE_KEY), CALL(pread64, OTHER, FILE_KEY), CALL(pwrite64, OTHER, FILE_KEY),
	CALL(preadv, OTHER, FILE_KEY), CALL(pwritev, OTHER, FILE_KEY), CALL(preadv2, OTHER, FILE_KEY),
	CALL(pwritev2, OTHER, FILE_KEY), CALL(sendfile, OTHER, FILE_KEY), CALL(splice, OTHER, FILE_KEY),
	CALL(vmsplice, OTHER, FILE_KEY), CALL(tee, OTHER, FILE_KEY), CALL(ioctl, OTHER, FILE_KEY),
	CALL(recvfrom, OTHER, FILE_KEY), CALL(recvmsg, OTHER, FILE_KEY), CALL(recvmmsg, OTHER, FILE_KEY),
	CALL(sendto, OTHER, FILE_KEY), CALL(sendmsg, OTHER, FILE_KEY), CALL(sendmmsg, OTHER, FILE_KEY),
	CALL(connect, OTHER, FILE_KEY), CALL(close, OTHER, WAIT_KEY_FD), CALL(shutdown, OTHER, FILE_KEY),
	CALL(openat, IPC, 0), /* of a FIFO, for its other end */
	CALL(accept, POLL, WAIT_KEY_FD), CALL(accept4, POLL, WAIT_KEY_FD), CALL(epoll_pwait, POLL, LOOP),
	CALL(ppoll, POLL, WAIT_FOR_MANY), CALL(pselect6, POLL, WAIT_FOR_MANY),
	/* It is counted as I/O whatever it waits for. */
	CALL(io_uring_enter, POLL, LOOP | WAIT_IS_POLL),
	CALL(io_getevents, DISK, 0),
	CALL(nanosleep, SLEEPING, 0), CALL(clock_nanosleep, SLEEPING, 0), CALL(restart_syscall, SLEEPING, 0),
	CALL(futex, LOCK, WAIT_KEY_ADDRESS), CALL(flock, LOCK, WAIT_KEY_FD),
	CALL(fcntl, IPC, WAIT_KEY_FD | WAIT_BY_COMMAND), /* a FIFO again, through F_SETPIPE_SZ */
	CALL(semop, LOCK, WAIT_KEY_SEMAPHORES), CALL(semtimedop, LOCK, WAIT_KEY_SEMAPHORES),
	CALL(msgsnd, IPC, 0), CALL(msgrcv, IPC, 0), CALL(mq_timedsend, IPC, WAIT_KEY_FD),
	CALL(mq_timedreceive, IPC, WAIT_KEY_FD),
	CALL(fsync, DISK, SYNC), CALL(fdatasync, DISK, SYNC), CALL(syncfs, DISK, SYNC),
	CALL(sync_file_range, DISK, SYNC), CALL(fallocate, DISK, SYNC), CALL(ftruncate, DISK, SYNC),
	CALL(sync, DISK, WAIT_ANYHOW), CALL(msync, DISK, WAIT_KEY_MEMORY | WAIT_ANYHOW), CALL(truncate, DISK, WAIT_ANYHOW),
	CALL(copy_file_range, DISK, 0), CALL(getdents64, DISK, 0), CALL(readahead, DISK, 0),
	CALL(wait4, CHILD, 0), CALL(waitid, CHILD, 0), CALL(clone, CHILD, WAIT_ANYHOW), /* of vfork's kind */
	CALL(rt_sigsuspend, SIGNAL, 0), CALL(rt_sigtimedwait, SIGNAL, 0),
#ifdef SYS_clone3
	CALL(clone3, CHILD, WAIT_ANYHOW),
#endif
#ifdef SYS_epoll_pwait2
	CALL(epoll_pwait2, POLL, LOOP),
#endif
#ifdef SYS_futex_waitv
	CALL(futex_waitv, LOCK, 0),
#endif
#ifdef SYS_vfork
	CALL(open, IPC, 0), CALL(creat, IPC, 0), CALL(epoll_wait, POLL, LOOP), CALL(poll, POLL, WAIT_FOR_MANY),
	CALL(select, POLL, WAIT_FOR_MANY), CALL(pause, SIGNAL, 0), CALL(vfork, CHILD, WAIT_ANYHOW), CALL(fork, CHILD, WAIT_ANYHOW),
#endif
};

/* Newer than the C library's headers; numbers of calls are the same on all machines since 5.1. */
enum { FUTEX_WAIT_CALL = 455 };

void waits_table(struct syscall_wait table[SYSCALL_COUNT])
{
	for (size_t i = 0; i < SYSCALL_COUNT; i++)
		table[i] = (struct syscall_wait){.cause = STATE_OTHER};
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		table[calls[i].number] = calls[i].wait;
	table[FUTEX_WAIT_CALL] = (struct syscall_wait){.cause = STATE_LOCK, .how = WAIT_KEY_ADDRESS};
}
