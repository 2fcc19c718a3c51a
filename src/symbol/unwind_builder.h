/* SPDX-License-Identifier: BSD-2-Clause */
/* Collects rows in the order of their addresses and makes a table of them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwind_rule.h"
#include "unwind_table.h"

#define UNWIND_ROWS_MAX (16u << 20)
#define UNWIND_SEGMENTS_MAX 64

/* An executable part of the file and where it is loaded. */
struct unwind_segment {
	uint64_t address, offset, size;
};

struct unwind_builder;

/* The arch outlives the builder. At least one segment, at most UNWIND_SEGMENTS_MAX, all within
 * 4 GB, ordered by address: -EFBIG or -ENOEXEC with a message otherwise. */
int unwind_builder_new(const struct unwind_arch *arch, const struct unwind_segment *segments,
		       size_t count, struct unwind_builder **ret_builder);
void unwind_builder_free(struct unwind_builder *b);

void unwind_builder_build_id(struct unwind_builder *b, const void *id, size_t len);
/* The end of the executable segment that holds the address; 0 if none does. */
uint64_t unwind_builder_segment_end(const struct unwind_builder *b, uint64_t address);

/* The number of a rule or an expression; the same bytes get the same number. Negative: full. */
int unwind_builder_rule(struct unwind_builder *b, const struct unwind_rule *rule);
int unwind_builder_expr(struct unwind_builder *b, const void *code, size_t len);

#define UNWIND_RULE_NONE 0        /* number of the rule without call frame information */
#define UNWIND_RULE_UNSUPPORTED 1 /* number of the rule for what cannot be expressed */

/* From `address` on, rule number `rule` holds. Addresses must not go back and must lie in a
 * segment or at its end. -EFBIG (with a message): too many rows. */
int unwind_builder_row(struct unwind_builder *b, uint64_t address, int rule);

int unwind_builder_finish(struct unwind_builder *b, struct unwind_table **ret_table);

DEFINE_CLEANUP(struct unwind_builder *, unwind_builder_free)
