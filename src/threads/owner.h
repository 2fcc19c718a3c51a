/* SPDX-License-Identifier: BSD-2-Clause */
/* Who holds a lock that does not name its owner where it is slept on: what runtimes know, or what threads keep on their
 * stacks. */
#pragma once
#include "arena.h"
#include "space.h"

struct python_trace;

/* A thread of one process while that is found out. All zero: one that is no concern. */
struct sleeper {
	uint32_t tid;    /* as its own process numbers it */
	uint64_t futex;  /* that it sleeps on, its owner unknown; 0: none. It must not run meanwhile */
	bool is_lock;    /* the word is that of a lock, and there is no time limit */
	bool is_semaphore; /* that nothing says to be anything else, and there is no time limit */
	bool outside;    /* it waits for what may come from elsewhere, or runs */
	bool moves;      /* it has run meanwhile: its stack is as it was a moment ago */
	uint64_t sp;     /* 0 unknown */
	const uint64_t *registers;
	size_t register_count;
	const struct python_trace *python; /* its frames; NULL: not known */
	uint64_t stack_start, stack_end; /* 0: those of the mapping that sp lies in */
	uint32_t within;   /* an address so many bytes before a lock is that of what the lock is part of; 0: nothing is */
	bool holds_nothing; /* no lock, as is known */
	/* Found, if not known before: */
	size_t holder;   /* 1 + who holds the lock, in the array, or else alone can end its wait; 0 not known */
	const char *unsure; /* why that may be wrong; NULL: it is so */
	bool open;       /* somebody else may hold it as well */
	size_t likely;   /* a finder's own, as `holder` */
	uint64_t lock;   /* its address where that is not the futex; 0: it is */
	const char *name; /* of that lock; NULL */
	bool wakes;      /* it wakes now and then to look, and sleeps on: only the holder can end its wait */
};

/* Names go into the arena; NULL: they are not wanted. */
typedef void owner_finder(const struct space *s, struct sleeper *sleepers, size_t count, struct arena *names);

/* Asks all that know: fills in what has not been found yet. */
void owners_find(const struct space *s, struct sleeper *sleepers, size_t count, struct arena *names);

owner_finder hotspot_lock_holders; /* monitors and java.util.concurrent, from the virtual machine's own description */
owner_finder python_lock_holders;  /* taken in a `with` */
owner_finder guard_lock_holders;   /* by addresses on stacks; for those that nobody else knows of */
