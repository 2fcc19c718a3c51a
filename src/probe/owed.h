/* SPDX-License-Identifier: BSD-2-Clause */
/* What a thread's waits are scaled with: its exact blocked time since the start, but for spans that have
 * a stack of their own, and what the drawn waits stood for so far. It outlives the thread while
 * stacks of its waits are still being unwound. */
#pragma once
#include <stdint.h>
#include <stdlib.h>

#include "mem.h"
#include "wire.h"

struct owed {
	unsigned references;
	uint64_t ns[STATE_ROOM];    /* by cause; exact */
	double drawn_ns[STATE_ROOM];
	double written_ns[STATE_ROOM]; /* under stacks, scaled */
};

static inline struct owed *owed_ref(struct owed *owed)
{
	owed->references++;
	return owed;
}

/* The thread's own, made when first asked for. */
static inline struct owed *owed_of(struct owed **owed)
{
	if (!*owed) {
		*owed = xcalloc(1, sizeof(**owed));
		owed_ref(*owed);
	}
	return *owed;
}

static inline void owed_unref(struct owed *owed)
{
	if (owed && !--owed->references)
		free(owed);
}
