// SPDX-License-Identifier: BSD-2-Clause
/* A cheap look for threads that may wait for each other, before a whole snapshot is taken: the words that
 * they sleep on, and the owners that locks of the C library name beside them; of other locks, what runtimes know. */
#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "cleanup.h"
#include "file_lock.h"
#include "io.h"
#include "lock.h"
#include "mem.h"
#include "owner.h"
#include "proc_status.h"
#include "raw.h"
#include "threads.h"

/* The numbers of the process's sleepers in its own namespace: memory tells no others. */
struct looking {
	const struct sleeper *sleepers;
	size_t count;
	bool elsewhere; /* a lock that processes share is another process's, which waits for such a lock, too */
};

static size_t place_of(const struct looking *l, uint32_t tid)
{
	size_t i = 0;

	while (i < l->count && l->sleepers[i].tid != tid)
		i++;
	return i;
}

/* What the thread waits for in memory; false: for nothing there. */
static bool read_futex(const char *thread, struct lock_look *ret, uint64_t *ret_sp)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	unsigned long long address, operation, value, limit, sp;
	char path[64];
	long call;

	snprintf(path, sizeof(path), "/proc/%s/syscall", thread);
	if (read_file(path, 4096, &b) < 0 ||
	    sscanf(b.data, "%ld %llx %llx %llx %llx %*x %*x %llx", &call, &address, &operation, &value, &limit, &sp) != 6 ||
	    call != SYS_futex)
		return false;
	*ret = (struct lock_look){.address = address, .operation = (uint32_t)operation, .value = (uint32_t)value, .timed = limit};
	*ret_sp = sp;
	return true;
}

static bool waits_for_shared(uint32_t tid)
{
	struct lock_look look;
	char thread[16];
	uint64_t sp;

	snprintf(thread, sizeof(thread), "%u", tid);
	return read_futex(thread, &look, &sp) && !(look.operation & FUTEX_PRIVATE_FLAG);
}

static bool is_sleeper(void *arg, uint32_t tid, bool shared)
{
	struct looking *l = arg;

	if (place_of(l, tid) < l->count)
		return true;
	l->elsewhere = l->elsewhere || (shared && waits_for_shared(tid));
	return false;
}

static bool read_around(uint32_t pid, struct lock_look *look)
{
	struct iovec here = {look->memory, sizeof(look->memory)};
	struct iovec there = {(void *)(uintptr_t)(look->address - LOCK_BEFORE), sizeof(look->memory)};

	if (process_vm_readv((pid_t)pid, &here, 1, &there, 1, 0) == (ssize_t)sizeof(look->memory))
		return true;
	/* A lock at the very beginning or end of a mapping: what is there of it will do. */
	here = (struct iovec){look->memory + LOCK_BEFORE, LOCK_AROUND - LOCK_BEFORE};
	there = (struct iovec){(void *)(uintptr_t)look->address, LOCK_AROUND - LOCK_BEFORE};
	return process_vm_readv((pid_t)pid, &here, 1, &there, 1, 0) >= (ssize_t)sizeof(uint32_t);
}

/* Where the sleeper stands that has the lock, as its memory says, plus one; 0: nobody it knows. */
static size_t holder_of(uint32_t pid, struct lock_look *look, struct looking *l, struct sleeper *sleeper)
{
	static const enum wait_kind owned[] = {WAIT_MUTEX, WAIT_RWLOCK_WRITE, WAIT_RWLOCK_READ, WAIT_JOIN};
	struct lock_guess guess;

	if (look->address <= LOCK_BEFORE)
		return 0;
	look->readable = read_around(pid, look);
	lock_guess(look, is_sleeper, l, &guess);
	for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
		if (guess.owner[owned[i]])
			return place_of(l, guess.owner[owned[i]]) + 1;
	sleeper->is_semaphore = lock_is_semaphore(&guess) && !look->timed;
	return 0;
}

/* What the thread sleeps on. */
static void look_at(uint32_t pid, uint32_t tid, struct sleeper *ret, struct lock_look *ret_look)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char path[64];

	snprintf(path, sizeof(path), "%u/task/%u", pid, tid);
	if (!read_futex(path, ret_look, &ret->sp))
		return;
	uint32_t operation = ret_look->operation & FUTEX_CMD_MASK;
	bool waits = operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2 || operation == FUTEX_WAIT ||
		     operation == FUTEX_WAIT_BITSET;
	ret->futex = waits ? ret_look->address : 0;
	ret->is_lock = ret->futex && lock_value_is_held(ret_look->value);
	snprintf(path, sizeof(path), "/proc/%u/task/%u/status", pid, tid);
	ret->tid = read_file(path, 1 << 16, &b) < 0 ? tid : proc_status_own_number(b.data, tid);
}

static void find_owners(uint32_t pid, struct sleeper *sleepers, size_t count)
{
	_cleanup_(space_freep) struct space *s = NULL;

	if (space_new(pid, &s) >= 0)
		owners_find(s, sleepers, count, NULL);
}

/* Two that nobody is known to hold: who does is looked for in the snapshot. */
static bool sleep_on_several_locks(const struct sleeper *sleepers, size_t count)
{
	uint64_t first = 0;

	for (size_t i = 0; i < count; i++) {
		if (!sleepers[i].is_lock || sleepers[i].holder)
			continue;
		if (first && sleepers[i].futex != first)
			return true;
		first = sleepers[i].futex;
	}
	return false;
}

bool threads_suspect(uint32_t pid, const uint32_t *tids, size_t count)
{
	_cleanup_free_ struct sleeper *sleepers = xcalloc(count, sizeof(*sleepers));
	_cleanup_free_ struct lock_look *looks = xcalloc(count, sizeof(*looks));
	struct looking l = {.sleepers = sleepers, .count = count};

	if (file_lock_cycle(pid))
		return true;
	for (size_t i = 0; i < count; i++)
		look_at(pid, tids[i], &sleepers[i], &looks[i]);
	for (size_t i = 0; i < count; i++)
		if (sleepers[i].futex)
			sleepers[i].holder = holder_of(pid, &looks[i], &l, &sleepers[i]);
	if (l.elsewhere)
		return true;
	if (count > 1)
		find_owners(pid, sleepers, count);
	for (size_t i = 0; i < count; i++) {
		size_t at = i;

		/* Whoever can take as many steps as there are threads goes round in a circle. */
		for (size_t steps = 0; sleepers[at].holder; at = sleepers[at].holder - 1)
			if (++steps > count)
				return true;
	}
	return sleep_on_several_locks(sleepers, count);
}
