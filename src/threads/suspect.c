// SPDX-License-Identifier: BSD-2-Clause
/* A cheap look for threads that may wait for each other, before a whole snapshot is taken: the words that
 * they sleep on, and the owners that glibc's mutexes name beside them; of Python's locks, who has taken them. */
#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "cleanup.h"
#include "io.h"
#include "mem.h"
#include "python_lock.h"
#include "threads.h"

/* The beginning of a pthread_mutex_t. */
struct mutex_words {
	uint32_t lock, count, owner;
};

enum { MOST_PYTHON_THREADS = 64 }; /* of which it is looked up what they hold */

/* Who holds the mutex, as its memory says; 0: nobody it knows. */
static uint32_t owner_of(uint32_t pid, uint64_t futex, bool inherits)
{
	struct mutex_words words = {0};
	struct iovec here = {&words, sizeof(words)}, there = {(void *)(uintptr_t)futex, sizeof(words)};

	if (!futex || process_vm_readv((pid_t)pid, &here, 1, &there, 1, 0) != (ssize_t)sizeof(words))
		return 0;
	return inherits ? words.lock & FUTEX_TID_MASK : words.lock ? words.owner : 0;
}

/* Returns whom the thread waits for; 0: nobody known. */
static uint32_t look_at(uint32_t pid, uint32_t tid, struct python_sleeper *ret)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	unsigned long long address, operation, sp;
	char path[64];
	long call;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/syscall", pid, tid);
	if (read_file(path, 4096, &b) < 0 ||
	    sscanf(b.data, "%ld %llx %llx %*x %*x %*x %*x %llx", &call, &address, &operation, &sp) != 4 || call != SYS_futex)
		return 0;
	operation &= FUTEX_CMD_MASK;
	bool inherits = operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2;
	ret->futex = inherits || operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET ? address : 0;
	ret->sp = sp;
	return owner_of(pid, ret->futex, inherits);
}

static void find_python_holders(uint32_t pid, struct python_sleeper *sleepers, size_t count)
{
	_cleanup_(space_freep) struct space *s = NULL;

	if (count <= MOST_PYTHON_THREADS && space_new(pid, &s) >= 0)
		python_lock_holders(s, sleepers, count, MOST_PYTHON_THREADS);
}

bool threads_suspect(uint32_t pid, const uint32_t *tids, size_t count)
{
	_cleanup_free_ struct python_sleeper *sleepers = xcalloc(count, sizeof(*sleepers));

	for (size_t i = 0; i < count; i++) {
		uint32_t owner = look_at(pid, tids[i], &sleepers[i]);

		for (size_t k = 0; owner && k < count; k++)
			if (tids[k] == owner)
				sleepers[i].holder = k + 1;
	}
	find_python_holders(pid, sleepers, count);
	for (size_t i = 0; i < count; i++) {
		size_t at = i;

		/* Whoever can take as many steps as there are threads goes round in a circle. */
		for (size_t steps = 0; sleepers[at].holder; at = sleepers[at].holder - 1)
			if (++steps > count)
				return true;
	}
	return false;
}
