/* SPDX-License-Identifier: BSD-2-Clause */
/* What a thread's waits are scaled with: its exact blocked time since the start, but for spans that have
 * a stack of their own, and what the drawn waits stood for so far. It outlives the thread while
 * stacks of its waits are still being unwound. */
#pragma once
#include <stdint.h>
#include <stdlib.h>

#include "mem.h"
#include "wire.h"

/* Of one cause. */
struct debt {
	uint64_t ns; /* exact */
	double drawn_ns;
	double written_ns; /* under stacks, scaled */
	uint8_t cause;     /* enum task_state */
};

/* A thread waits for few causes, and threads are many. */
struct owed {
	unsigned references, count;
	struct debt *debts;
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

/* Made when first asked for; it moves when another is. */
static inline struct debt *owed_debt(struct owed *owed, uint8_t cause)
{
	for (unsigned i = 0; i < owed->count; i++)
		if (owed->debts[i].cause == cause)
			return &owed->debts[i];
	owed->debts = xrealloc(owed->debts, (owed->count + 1) * sizeof(*owed->debts));
	owed->debts[owed->count] = (struct debt){.cause = cause};
	return &owed->debts[owed->count++];
}

static inline void owed_unref(struct owed *owed)
{
	if (!owed || --owed->references)
		return;
	free(owed->debts);
	free(owed);
}
