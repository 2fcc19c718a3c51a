/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks that were unwound before. Threads wait, and are met in system calls, at the same places again and again; with what a walk
 * went by (struct unwind_needs) the next one is known without it: a dozen words are compared, not thousands copied to another process. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "unwind_regs.h"

struct record_explained;
struct unwind_memo;

struct unwind_memo *unwind_memo_new(void);
void unwind_memo_free(struct unwind_memo *m);

/* A captured stack. */
struct unwind_capture {
	uint32_t space;
	const struct unwind_regs *regs;
	uint64_t start;
	const void *bytes;
	size_t len;
};

/* Its addresses, valid until the next call; NULL: not known. *ret_again: its like was asked for before, so an explanation of what
 * the walk went by is of use. */
const uint64_t *unwind_memo_find(struct unwind_memo *m, const struct unwind_capture *c, size_t *ret_depth, bool *ret_again);

/* An answer has come: the explanation that may follow was asked for, or not, and is of this space. */
void unwind_memo_expect(struct unwind_memo *m, bool explanation, uint32_t space);
/* False: the record is malformed, or was not expected. */
bool unwind_memo_learn(struct unwind_memo *m, const struct record_explained *r);
void unwind_memo_forget(struct unwind_memo *m, uint32_t space); /* has other mappings now, or is gone */
void unwind_memo_forget_all(struct unwind_memo *m);

DEFINE_CLEANUP(struct unwind_memo *, unwind_memo_free)
