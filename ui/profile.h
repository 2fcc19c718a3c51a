/* SPDX-License-Identifier: BSD-2-Clause */
/* The window's stacks of one kind of profile, as far as the user looks at them. */
#pragma once
#include "flame.h"
#include "recorded.h"
#include "screen.h"

/* Calls `add` with each row of samples of that profile. Waits for work are left out unless `idle`. */
void profile_each(const struct screen_context *c, enum profile profile, bool idle,
		  void (*add)(void *arg, const struct ledger_row *row), void *arg);
/* As a tree, below a frame with the process's name; what is a four-thousandth of it or less is merged into its caller.
 * The caller's. */
struct flame *profile_flame(const struct screen_context *c, enum profile profile, bool idle);
/* Waits, and above each what those who ended it did meanwhile. The caller's. */
struct flame *profile_wakeups(const struct screen_context *c, bool idle);
/* Heaviest stacks first: of one function only, if it is not NULL. Returns how many. */
struct profile_stack {
	uint32_t stack, task;
	uint64_t value, count;
};
size_t profile_heaviest(const struct screen_context *c, enum profile profile, bool idle, const char *function,
			struct profile_stack *stacks, size_t most);
