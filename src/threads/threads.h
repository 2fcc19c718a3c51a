/* SPDX-License-Identifier: BSD-2-Clause */
/* Who waits for whom in a process, at one moment and without stopping it.
 *
 * A snapshot holds all threads of one process and, where one of them waits for another process,
 * that one's. Everything in it is as it was at a moment when the thread did not run: what changed
 * while it was read is read again, or left out. Names come from other processes and are hostile. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "cleanup.h"

enum thread_state {
	THREAD_RUNNING,
	THREAD_RUNNABLE, /* waits for a CPU */
	THREAD_SLEEPING,
	THREAD_BLOCKED,  /* uninterruptible */
	THREAD_STOPPED,  /* by a signal */
	THREAD_TRACED,   /* by a debugger */
	THREAD_FROZEN,   /* by its cgroup's freezer */
	THREAD_EXITED,   /* a leader whose other threads go on, or a zombie */
	THREAD_STATES,
};

enum wait_kind {
	WAIT_NONE, /* runs or wants to */
	WAIT_MUTEX, WAIT_RWLOCK_READ, WAIT_RWLOCK_WRITE, WAIT_CONDITION, WAIT_SEMAPHORE,
	WAIT_BARRIER, WAIT_JOIN,
	WAIT_LOCK,  /* a lock that does not say what it is */
	WAIT_FUTEX, /* something in memory */
	WAIT_FILE, WAIT_SOCKET, WAIT_PIPE, WAIT_EPOLL, WAIT_POLL, WAIT_SLEEP, WAIT_CHILD, WAIT_QUEUE,
	WAIT_SIGNAL, WAIT_STOPPED, WAIT_TRACED, WAIT_FAULT, WAIT_KERNEL,
	WAIT_CHANNEL, WAIT_GROUP, WAIT_RUNTIME, /* of goroutines; RUNTIME: something in there */
	WAIT_KINDS,
};

struct thread_wait {
	enum wait_kind kind;
	const char *call;     /* the system call; NULL: none */
	uint64_t address;     /* of what is waited on in memory, else 0 */
	const char *resource; /* lock, path, connection...; NULL: none or unknown */
	const char *detail;   /* more about it; NULL */
	const char *unsure;   /* why this may be wrong; NULL: it is as it says */
	uint32_t pid, tid;    /* whom it waits for, 0 unknown; tid 0: some thread of that process */
	bool bound;           /* nobody else can end the wait: a lock's owner, a joined thread */
};

struct thread {
	uint32_t tid, pid;
	char comm[16];
	enum thread_state state;
	uint64_t since_ns; /* in this state for so long, UINT64_MAX unknown */
	uint32_t cpu;      /* the one it runs on or ran on last */
	uint64_t switches; /* how often it has left a CPU */
	bool iowait, kernel_thread;
	bool moved;        /* it has run between the snapshot and the look afterwards */
	struct thread_wait wait;
	const char **frames;     /* root first: user_count of the program, then the kernel's */
	size_t user_count, frame_count;
	const char **sources;    /* "/path/file.py:12" of the program's frames, NULL where not known; NULL: of none */
	const char *stack_ended; /* why the program's frames do not reach the root; NULL: they do */

	/* Of the wait-for graph, indices into the snapshot: */
	int waits_for; /* the thread that must act; -1 none or unknown */
	int cycle;     /* the deadlock that it is part of or waits for; -1 */
	bool in_cycle; /* part of it */
};

struct thread_group {
	uint32_t *members; /* indices: they wait for the same kind of thing in equal stacks */
	uint32_t count;
};

struct thread_cycle {
	uint32_t *members; /* each waits for the next, the last for the first */
	uint32_t count;
};

struct threads {
	uint32_t pid;
	char comm[16];
	const char *source;       /* "bpf", or "proc" when that is not allowed */
	uint64_t wall_ns, took_ns;
	struct thread *items;     /* of the process first, then those of others */
	size_t count;
	struct thread_group *groups; /* largest first */
	size_t group_count;
	struct thread_cycle *cycles;
	size_t cycle_count;
	struct buf notes;         /* what could not be read and how to mend it, one a line */
	struct arena *memory;     /* of every string */
	const char *what;         /* what the items are: "thread" or "goroutine" */
	struct threads *goroutines; /* of the process, likewise, their numbers as tid; NULL: it is no program of Go */
};

struct threads_options {
	uint32_t pid;       /* a process, or one of its threads */
	uint64_t settle_ns; /* deadlocks are those where nothing moved for so long */
	bool no_bpf;        /* read /proc alone, as without privileges */
};

/* Negative errno with a message: no such process, no permission. */
int threads_take(const struct threads_options *o, struct threads **ret);
void threads_free(struct threads *t); /* NULL is fine */
/* May some of these threads of the process wait for each other for ever? Quick, and only a reason to look. */
bool threads_suspect(uint32_t pid, const uint32_t *tids, size_t count);
bool threads_suspect_goroutines(uint32_t pid); /* likewise */
/* Of threads in the order of their processes that wait for pipes, sockets or children: those of which each waits for the process of
 * another one of them come to the front, and are counted. */
struct thread_place {
	uint32_t pid, tid;
};
size_t threads_suspect_pipes(struct thread_place *places, size_t count);

/* The pure parts, from items' wait and stacks: waits_for and cycles; groups. */
void threads_find_cycles(struct threads *t);
void threads_find_groups(struct threads *t);

struct threads_style {
	bool color;
};
void threads_text(const struct threads *t, const struct threads_style *style, struct buf *b);
/* perfscope.threads/1, see docs/threads.md */
void threads_json(const struct threads *t, struct buf *b);

const char *thread_state_name(enum thread_state state);
const char *wait_kind_name(enum wait_kind kind);

DEFINE_CLEANUP(struct threads *, threads_free)
