/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds where a process was stopped as a whole: several of its threads had begun to wait within a moment of each
 * other, for long, and were let go on together. */
#pragma once
#include <stdint.h>

/* Another thread of the process has ended a thread's wait. */
struct release {
	uint64_t since_ns, woken_ns;
	uint32_t process, task, waker; /* ids of the recording */
	uint32_t waker_tid;
};

struct world_stop {
	uint64_t start_ns, end_ns; /* half of them had stopped, the first went on */
	uint64_t spread_ns;        /* from the first that stopped to the last */
	uint32_t process, waker, waker_tid; /* who let the first one go on */
	uint32_t threads;
	uint32_t early;            /* of them had stopped before the waker itself was let go on */
};

typedef void releases_found(void *arg, const struct world_stop *stop);

struct releases;

struct releases *releases_new(releases_found *found, void *arg);
void releases_free(struct releases *rs); /* what is left is not told */

/* In the order of woken_ns, but for some microseconds. */
void releases_add(struct releases *rs, const struct release *r);
/* Nothing that was woken before now_ns will come any more. */
void releases_settle(struct releases *rs, uint64_t now_ns);
