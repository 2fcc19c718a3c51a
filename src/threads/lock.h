/* SPDX-License-Identifier: BSD-2-Clause */
/* What a futex is part of, from the call that waits on it and the memory around it. Nothing in
 * memory is trusted: an owner must be a thread that lives, and counts must agree with each other.
 *
 * Layouts are glibc's on x86-64 (mutex, rwlock and semaphore unchanged since 2.25; condition
 * variables of 2.25 to 2.40 and from 2.41 on); musl's and robust mutexes keep the owner in the
 * futex itself. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "threads.h"

enum {
	LOCK_BEFORE = 64,  /* bytes of memory around the futex that are looked at */
	LOCK_AROUND = 128,
};

struct lock_look {
	uint64_t address;
	uint32_t operation, value; /* as given to futex(2) */
	bool timed;
	bool readable;             /* `memory` holds the bytes from address - LOCK_BEFORE on */
	uint8_t memory[LOCK_AROUND];
};

/* Does the thread live? In any process when `shared`, else in the waiter's own. */
typedef bool lock_is_thread(void *arg, uint32_t tid, bool shared);

struct lock_guess {
	uint32_t possible;          /* 1 << enum wait_kind */
	bool is_private;            /* no other process can wake who sleeps on it */
	uint32_t owner[WAIT_KINDS]; /* the thread that must act if it is that; 0 unknown */
	uint64_t base[WAIT_KINDS];  /* where that begins */
	const char *flavour;        /* "priority inheritance", "robust"...; NULL */
	const char *holders;        /* who else holds it, in words; NULL */
};

void lock_guess(const struct lock_look *look, lock_is_thread *is_thread, void *arg,
		struct lock_guess *ret);

/* The word of a lock that is held and waited for, as many keep it; no more than a convention. */
bool lock_value_is_held(uint32_t value);
/* It may be, for all that is seen, and its own process alone can give it. */
bool lock_is_semaphore(const struct lock_guess *guess);
/* The most likely of what is possible; `function` is the one that waits (NULL: unknown): its name
 * decides. */
enum wait_kind lock_decide(const struct lock_guess *guess, const char *function,
			   const char **ret_unsure);
/* The kind of thing that a function of that name waits on; WAIT_KINDS: no such function. */
enum wait_kind lock_kind_of_function(const char *function);
