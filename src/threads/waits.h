/* SPDX-License-Identifier: BSD-2-Clause */
/* What a blocked thread waits on, from the arguments of its system call. */
#pragma once
#include "arena.h"
#include "lock.h"
#include "owner.h"
#include "raw.h"
#include "space.h"

/* One thread's wait while it is being found out: read while the thread keeps still, finished later.
 */
struct waiting {
	struct thread_wait wait;
	struct lock_guess guess; /* of a futex */
	bool is_futex, timed;
	bool for_ever;           /* for a signal, and its process catches none */
	bool unlimited;          /* until its descriptor lets it: the call has no time limit */
	int fd;                  /* of a socket or pipe */
	bool moved;              /* it ran while it was read: nothing is sure */
	uint64_t inode;          /* of a socket or pipe, else 0 */
	const char *listener;    /* the Unix socket that it would connect to, as /proc/net/unix writes it; NULL */
	uint64_t locked_inode;   /* of the file that it wants to lock, else 0 */
	bool writes;             /* it would give data, not take it */
};

struct wait_context {
	const struct space *space; /* NULL: nothing of the process can be read */
	const struct raw_threads *threads;
	struct arena *memory;
};

void waiting_read(const struct wait_context *c, const struct raw_thread *t, struct waiting *ret);
/* With the names of the innermost functions, innermost first: decides what a futex is, and tells
 * page faults and waits for kernel locks from others. */
void waiting_finish(struct waiting *w, const char *const *user, size_t user_count,
		    const char *const *kernel, size_t kernel_count);

/* The futex that it sleeps on, if it is a lock or the like whose owner is not known; 0: none. */
uint64_t waiting_unowned(const struct waiting *w);
/* That futex is the word of a lock that is held, for all that one can see. */
bool waiting_is_lock(const struct waiting *w);
bool waiting_is_semaphore(const struct waiting *w); /* likewise */
/* Nothing but the process itself, or time, can let it go on. */
bool waiting_inside(const struct waiting *w);
/* What has been found out about it since; the thread alone can end the wait. */
void waiting_owned(struct waiting *w, const struct sleeper *s, uint32_t tid);

bool is_live_thread(uint32_t tid, uint32_t *ret_pid); /* anywhere on the machine */
/* Other signals than those of the mask `but`, in which bit 0 is number 1. */
bool catches_signals(uint32_t pid, uint64_t but);
