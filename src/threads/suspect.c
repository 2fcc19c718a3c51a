// SPDX-License-Identifier: BSD-2-Clause
/* A cheap look for threads that may wait for each other, before a whole snapshot is taken: the words that
 * they sleep on, and the owners that glibc's mutexes name beside them. */
#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "cleanup.h"
#include "io.h"
#include "mem.h"
#include "threads.h"

/* The beginning of a pthread_mutex_t. */
struct mutex_words {
	uint32_t lock, count, owner;
};

/* The address of the futex that the thread waits on; 0: it does not. */
static uint64_t futex_of(uint32_t pid, uint32_t tid, bool *ret_inherits)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	unsigned long long address, operation;
	char path[64];
	long call;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/syscall", pid, tid);
	if (read_file(path, 4096, &b) < 0 || sscanf(b.data, "%ld %llx %llx", &call, &address, &operation) != 3 ||
	    call != SYS_futex)
		return 0;
	operation &= FUTEX_CMD_MASK;
	*ret_inherits = operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2;
	return *ret_inherits || operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET ? address : 0;
}

/* Who holds what the thread waits for, as that memory says; 0: nobody it knows. */
static uint32_t owner_of(uint32_t pid, uint32_t tid)
{
	struct mutex_words words = {0};
	bool inherits = false;
	uint64_t address = futex_of(pid, tid, &inherits);
	struct iovec here = {&words, sizeof(words)}, there = {(void *)(uintptr_t)address, sizeof(words)};

	if (!address || process_vm_readv((pid_t)pid, &here, 1, &there, 1, 0) != (ssize_t)sizeof(words))
		return 0;
	return inherits ? words.lock & FUTEX_TID_MASK : words.lock ? words.owner : 0;
}

bool threads_suspect(uint32_t pid, const uint32_t *tids, size_t count)
{
	_cleanup_free_ size_t *next = xcalloc(count, sizeof(*next)); /* 1 + whom it waits for; 0 nobody */

	for (size_t i = 0; i < count; i++) {
		uint32_t owner = owner_of(pid, tids[i]);

		for (size_t k = 0; owner && k < count; k++)
			if (tids[k] == owner)
				next[i] = k + 1;
	}
	for (size_t i = 0; i < count; i++) {
		size_t at = i;

		/* Whoever can take as many steps as there are threads goes round in a circle. */
		for (size_t steps = 0; next[at]; at = next[at] - 1)
			if (++steps > count)
				return true;
	}
	return false;
}
