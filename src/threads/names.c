// SPDX-License-Identifier: BSD-2-Clause
#include "threads.h"

const char *thread_state_name(enum thread_state state)
{
	static const char *const names[THREAD_STATES] = {
		[THREAD_RUNNING] = "running",   [THREAD_RUNNABLE] = "runnable",
		[THREAD_SLEEPING] = "sleeping", [THREAD_BLOCKED] = "blocked",
		[THREAD_STOPPED] = "stopped",   [THREAD_TRACED] = "traced",
		[THREAD_FROZEN] = "frozen",     [THREAD_EXITED] = "exited",
	};

	return names[state];
}

const char *wait_kind_name(enum wait_kind kind)
{
	static const char *const names[WAIT_KINDS] = {
		[WAIT_NONE] = "nothing",
		[WAIT_MUTEX] = "mutex",
		[WAIT_RWLOCK_READ] = "rwlock (read)",
		[WAIT_RWLOCK_WRITE] = "rwlock (write)",
		[WAIT_CONDITION] = "condition variable",
		[WAIT_SEMAPHORE] = "semaphore",
		[WAIT_BARRIER] = "barrier",
		[WAIT_JOIN] = "end of thread",
		[WAIT_LOCK] = "lock",
		[WAIT_FUTEX] = "futex",
		[WAIT_FILE] = "file",
		[WAIT_SOCKET] = "socket",
		[WAIT_PIPE] = "pipe",
		[WAIT_EPOLL] = "epoll",
		[WAIT_POLL] = "poll",
		[WAIT_SLEEP] = "sleep",
		[WAIT_CHILD] = "child",
		[WAIT_QUEUE] = "message queue",
		[WAIT_SIGNAL] = "signal",
		[WAIT_STOPPED] = "stop",
		[WAIT_TRACED] = "tracer",
		[WAIT_FAULT] = "page fault",
		[WAIT_KERNEL] = "kernel",
		[WAIT_CHANNEL] = "channel",
		[WAIT_GROUP] = "wait group",
		[WAIT_RUNTIME] = "runtime",
	};

	return names[kind];
}
