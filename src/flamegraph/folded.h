/* SPDX-License-Identifier: BSD-2-Clause */
/* Folded stacks: one a line, frames from the root joined by ';', a space, a count. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "flame.h"

struct folded_result {
	uint64_t lines;    /* that are not blank */
	uint64_t skipped;  /* malformed ones among them */
	uint64_t first_skipped; /* its line number, from 1; 0: none */
	const char *reason;     /* of the first one; static */
	bool two_counts;        /* on each line: both sides are in it */
};

/* Reads to the end of fd; `name` is for messages. Counts may have fractions. A malformed line is
 * skipped and told in ret_result, since one torn line must not cost the picture; input without
 * one stack that counts is -EINVAL, with a message. Memory grows with what differs, not with fd.
 *
 * When every line of the first MiB ends with two counts (before, after: what difffolded.pl
 * writes), the first is added to FLAME_BASE and the second to FLAME_NEW; `side` is ignored. */
int flame_read_folded(struct flame *f, enum flame_side side, int fd, const char *name,
		      struct folded_result *ret_result);

/* One side as folded stacks, kinds marked with _[k], _[j] and _[i], ordered by nothing. Bytes
 * that would break the format are replaced: ';' in a name by ':', controls by '?'. Counts that
 * are not whole have up to nine decimals. -errno without a message when a write fails. */
int flame_write_folded(const struct flame *f, enum flame_side side, int fd);
