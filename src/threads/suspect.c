// SPDX-License-Identifier: BSD-2-Clause
/* A cheap look for threads that may wait for each other, before a whole snapshot is taken: the words that
 * they sleep on, and the owners that glibc's mutexes name beside them; of other locks, what runtimes know. */
#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "cleanup.h"
#include "file_lock.h"
#include "io.h"
#include "lock.h"
#include "mem.h"
#include "owner.h"
#include "raw.h"
#include "threads.h"

/* The beginning of a pthread_mutex_t. */
struct mutex_words {
	uint32_t lock, count, owner;
};

/* Who holds the mutex, as its memory says; 0: nobody it knows. */
static uint32_t owner_of(uint32_t pid, uint64_t futex, bool inherits)
{
	struct mutex_words words = {0};
	struct iovec here = {&words, sizeof(words)}, there = {(void *)(uintptr_t)futex, sizeof(words)};

	if (!futex || process_vm_readv((pid_t)pid, &here, 1, &there, 1, 0) != (ssize_t)sizeof(words))
		return 0;
	return inherits ? words.lock & FUTEX_TID_MASK : words.lock ? words.owner : 0;
}

/* Returns whom the thread waits for, by its number in its own namespace; 0: nobody known. */
static uint32_t look_at(uint32_t pid, uint32_t tid, struct sleeper *ret)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	unsigned long long address, operation, value, sp;
	char path[64];
	long call;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/syscall", pid, tid);
	if (read_file(path, 4096, &b) < 0 ||
	    sscanf(b.data, "%ld %llx %llx %llx %*x %*x %*x %llx", &call, &address, &operation, &value, &sp) != 5 || call != SYS_futex)
		return 0;
	operation &= FUTEX_CMD_MASK;
	bool inherits = operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2;
	ret->futex = inherits || operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET ? address : 0;
	ret->sp = sp;
	ret->is_lock = ret->futex && lock_value_is_held((uint32_t)value);
	snprintf(path, sizeof(path), "/proc/%u/task/%u/status", pid, tid);
	buf_reset(&b);
	ret->tid = read_file(path, 1 << 16, &b) < 0 ? tid : raw_own_number(b.data, tid);
	return owner_of(pid, ret->futex, inherits);
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
	_cleanup_free_ uint32_t *owners = xcalloc(count, sizeof(*owners));

	if (file_lock_cycle(pid))
		return true;
	if (count < 2)
		return false;
	for (size_t i = 0; i < count; i++)
		owners[i] = look_at(pid, tids[i], &sleepers[i]);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; owners[i] && k < count; k++)
			if (sleepers[k].tid == owners[i])
				sleepers[i].holder = k + 1;
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
