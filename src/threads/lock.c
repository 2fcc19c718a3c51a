// SPDX-License-Identifier: BSD-2-Clause
#include "lock.h"
#include "text.h"

#include <linux/futex.h>
#include <string.h>

#define TID_BITS 0x3fffffffu
#define MOST_WAITERS 65536u

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

struct guessing {
	const struct lock_look *look;
	lock_is_thread *is_thread;
	void *arg;
	struct lock_guess *guess;
};

static uint32_t word(const struct lock_look *look, int offset)
{
	uint32_t value;

	memcpy(&value, look->memory + LOCK_BEFORE + offset, sizeof(value));
	return value;
}

static bool is_private(const struct lock_look *look)
{
	return look->operation & FUTEX_PRIVATE_FLAG;
}

static void fits(struct guessing *g, enum wait_kind kind, int begin, uint32_t owner)
{
	g->guess->possible |= 1u << kind;
	g->guess->base[kind] = g->look->address + (uint64_t)(int64_t)begin;
	g->guess->owner[kind] = owner;
}

static bool lives(const struct guessing *g, uint32_t tid, bool shared)
{
	return tid && tid <= TID_BITS && g->is_thread(g->arg, tid, shared);
}

/* The word holds the owner: PI and robust mutexes, and musl's. */
static bool try_owner_word(struct guessing *g, uint32_t value, const char *flavour)
{
	uint32_t owner = value & TID_BITS;

	if (!lives(g, owner, !is_private(g->look)))
		return false;
	fits(g, WAIT_MUTEX, 0, owner);
	g->guess->flavour = flavour;
	return true;
}

bool lock_value_is_held(uint32_t value)
{
	enum { RUST_WRITER = 0x3fffffff, RUST_READERS_WAIT = 0x40000000 };

	/* Of Rust's locks for many readers those that wait for a writer sleep on the word itself. */
	return value == 2 || value == (RUST_WRITER | RUST_READERS_WAIT);
}

/* pthread_mutex_t: lock 0, count 4, owner 8, users 12, kind 16. */
static void try_mutex(struct guessing *g)
{
	enum { RECURSIVE = 1, TYPE = 3, SHARED = 0x80, KNOWN = 0x3f3 };
	const struct lock_look *look = g->look;
	uint32_t kind = word(look, 16), count = word(look, 4), owner = word(look, 8);

	if (lock_value_is_held(look->value))
		fits(g, WAIT_LOCK, 0, 0);
	if (look->value != 2)
		return;
	if (kind & ~(uint32_t)KNOWN || word(look, 0) > 2 || (count && (kind & TYPE) != RECURSIVE))
		return;
	if (!lives(g, owner, kind & SHARED))
		owner = 0;
	/* Memory that happens to be zero says nothing. */
	if (owner || (kind & TYPE))
		fits(g, WAIT_MUTEX, 0, owner);
	if (owner && (kind & TYPE) == RECURSIVE)
		g->guess->flavour = "recursive";
}

/* pthread_rwlock_t: readers 0, writers 4, phase futex 8, writers futex 12, two paddings, current
 * writer 24, shared 28, flags 48. */
static void try_rwlock_at(struct guessing *g, int begin, enum wait_kind kind)
{
	const struct lock_look *look = g->look;
	uint32_t writer = word(look, begin + 24), shared = word(look, begin + 28),
		 readers = word(look, begin);

	if (word(look, begin + 16) || word(look, begin + 20) || shared > 1 ||
	    word(look, begin + 48) > 2 || readers >> 3 > MOST_WAITERS ||
	    word(look, begin + 4) > MOST_WAITERS)
		return;
	/* Somebody must have it, or want it. */
	if (!(readers >> 3) && !(readers & 3) && !word(look, begin + 4))
		return;
	if (writer && !lives(g, writer, shared))
		return;
	fits(g, kind, begin, writer);
	if (!writer)
		g->guess->holders = "held by readers, which it does not name";
}

static void try_rwlock(struct guessing *g)
{
	uint32_t value = g->look->value;

	if (value == 2 || value == 3)
		try_rwlock_at(g, -8, value == 3 ? WAIT_RWLOCK_READ : WAIT_RWLOCK_WRITE);
	if (value == 3 && !(g->guess->possible & 1u << WAIT_RWLOCK_READ))
		try_rwlock_at(g, -12, WAIT_RWLOCK_WRITE);
}

/* pthread_cond_t of 2.25: sequence 0, references 16 and 20, waiters 36, signals 40 and 44;
 * of 2.41: sequence 0, waiters 28, signals 32 and 36. */
static void try_condition_at(struct guessing *g, int begin, int waiters_at, int references_at)
{
	const struct lock_look *look = g->look;
	uint32_t waiters = word(look, begin + waiters_at) >> 3, sequence = word(look, begin) >> 1;

	if (!waiters || waiters > MOST_WAITERS || !(sequence || word(look, begin + 4)))
		return;
	if (references_at >= 0 && (word(look, begin + references_at) >> 1 == 0 ||
				   word(look, begin + references_at) >> 1 > MOST_WAITERS))
		return;
	fits(g, WAIT_CONDITION, begin, 0);
}

static void try_condition(struct guessing *g)
{
	try_condition_at(g, -40, 36, 16);
	try_condition_at(g, -44, 36, 20);
	if (g->guess->possible & 1u << WAIT_CONDITION)
		return;
	try_condition_at(g, -32, 28, -1);
	try_condition_at(g, -36, 28, -1);
}

/* sem_t: value 0, waiters 4, private 8. */
static void try_semaphore(struct guessing *g)
{
	const struct lock_look *look = g->look;
	uint32_t waiters = word(look, 4), sharing = word(look, 8);

	if (look->value == 0 && word(look, 0) == 0 && waiters && waiters <= MOST_WAITERS &&
	    sharing == (is_private(look) ? 0u : (uint32_t)FUTEX_PRIVATE_FLAG))
		fits(g, WAIT_SEMAPHORE, 0, 0);
}

/* The kernel clears the word when the thread has ended, and wakes without the private flag. */
static bool try_join(struct guessing *g)
{
	uint32_t tid = g->look->value;

	if (is_private(g->look) || word(g->look, 0) != tid || !lives(g, tid, false))
		return false;
	fits(g, WAIT_JOIN, 0, tid);
	return true;
}

static void guess_wait(struct guessing *g)
{
	const struct lock_look *look = g->look;
	bool bitset = (look->operation & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;

	fits(g, WAIT_FUTEX, 0, 0);
	if (!look->readable || try_join(g))
		return;
	if (look->value & FUTEX_WAITERS &&
	    try_owner_word(g, word(look, 0), "owner in its first word"))
		return;
	try_mutex(g);
	if (!bitset)
		return;
	try_rwlock(g);
	try_condition(g);
	try_semaphore(g);
}

void lock_guess(const struct lock_look *look, lock_is_thread *is_thread, void *arg,
		struct lock_guess *ret)
{
	struct guessing g = {.look = look, .is_thread = is_thread, .arg = arg, .guess = ret};

	*ret = (struct lock_guess){.is_private = is_private(look)};
	switch (look->operation & FUTEX_CMD_MASK) {
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		fits(&g, WAIT_MUTEX, 0, 0);
		ret->flavour = "priority inheritance";
		if (look->readable)
			try_owner_word(&g, word(look, 0), ret->flavour);
		break;
	case FUTEX_WAIT_REQUEUE_PI:
		fits(&g, WAIT_CONDITION, 0, 0);
		break;
	default:
		guess_wait(&g);
	}
}

bool lock_is_semaphore(const struct lock_guess *guess)
{
	return guess->is_private && guess->possible & 1u << WAIT_SEMAPHORE && !(guess->possible & 1u << WAIT_CONDITION);
}

struct waiting_function {
	const char *prefix; /* of the name, leading underscores left out */
	enum wait_kind kind;
};

static const struct waiting_function functions[] = {
	{"pthread_mutex_", WAIT_MUTEX},
	{"pthread_cond_", WAIT_CONDITION},
	{"cnd_", WAIT_CONDITION},
	{"pthread_rwlock_rdlock", WAIT_RWLOCK_READ},
	{"pthread_rwlock_timedrdlock", WAIT_RWLOCK_READ},
	{"pthread_rwlock_clockrdlock", WAIT_RWLOCK_READ},
	{"pthread_rwlock_wrlock", WAIT_RWLOCK_WRITE},
	{"pthread_rwlock_timedwrlock", WAIT_RWLOCK_WRITE},
	{"pthread_rwlock_clockwrlock", WAIT_RWLOCK_WRITE},
	{"sem_wait", WAIT_SEMAPHORE},
	{"sem_timedwait", WAIT_SEMAPHORE},
	{"sem_clockwait", WAIT_SEMAPHORE},
	{"new_sem_wait", WAIT_SEMAPHORE},
	{"pthread_barrier_wait", WAIT_BARRIER},
	{"pthread_join", WAIT_JOIN},
	{"pthread_timedjoin", WAIT_JOIN},
	{"pthread_clockjoin", WAIT_JOIN},
	{"thrd_join", WAIT_JOIN},
	{"mtx_", WAIT_MUTEX},
	/* Of Rust: each thread sleeps on a word of its own, and nothing tells who has the lock. */
	{"parking_lot::raw_mutex::RawMutex::lock_slow", WAIT_MUTEX},
	{"parking_lot::raw_rwlock::RawRwLock::lock_shared_slow", WAIT_RWLOCK_READ},
	{"parking_lot::raw_rwlock::RawRwLock::lock_exclusive_slow", WAIT_RWLOCK_WRITE},
	{"parking_lot::condvar::Condvar::wait_until_internal", WAIT_CONDITION},
};

enum wait_kind lock_kind_of_function(const char *function)
{
	while (*function == '_')
		function++;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (starts_with(function, functions[i].prefix))
			return functions[i].kind;
	return WAIT_KINDS;
}

/* The more must agree by chance, the better. */
static const enum wait_kind by_evidence[] = {WAIT_JOIN,        WAIT_MUTEX,     WAIT_RWLOCK_WRITE,
					     WAIT_RWLOCK_READ, WAIT_CONDITION, WAIT_SEMAPHORE,
					     WAIT_LOCK,        WAIT_FUTEX};

enum wait_kind lock_decide(const struct lock_guess *guess, const char *function,
			   const char **ret_unsure)
{
	enum wait_kind named = function ? lock_kind_of_function(function) : WAIT_KINDS;
	uint32_t weak = 1u << WAIT_CONDITION | 1u << WAIT_SEMAPHORE;

	*ret_unsure = NULL;
	/* In pthread_cond_wait() the wait may be for the mutex that it takes again: its owner says
	 * so. */
	if (named != WAIT_KINDS && (guess->possible & 1u << named || !guess->owner[WAIT_MUTEX]))
		return named;
	for (size_t i = 0; i < sizeof(by_evidence) / sizeof(by_evidence[0]); i++) {
		enum wait_kind kind = by_evidence[i];

		if (!(guess->possible & 1u << kind))
			continue;
		if ((guess->possible & weak) == weak && weak & 1u << kind)
			*ret_unsure = "its memory fits a condition variable and a semaphore";
		else if (weak & 1u << kind ||
			 ((kind == WAIT_RWLOCK_READ || kind == WAIT_RWLOCK_WRITE) &&
			  !guess->owner[kind]))
			*ret_unsure = "told by its memory alone";
		return kind;
	}
	return WAIT_FUTEX;
}
