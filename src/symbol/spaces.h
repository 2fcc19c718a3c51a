/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parent knows about address spaces: enough to tell any child again. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "protocol.h"

enum { SPACE_MAPPINGS_MAX = 1 << 16 };

struct space {
	uint32_t number;
	uint32_t count, sent; /* mappings, and how many of them the child has */
	bool complete; /* the child has all */
	bool known; /* the child has some, or what was before */
	struct space_mapping mappings[];
};

struct spaces;

struct spaces *spaces_new(void);
void spaces_free(struct spaces *s);
/* Takes a copy and puts it in order: of overlapping mappings the lower one gives way. -E2BIG */
int spaces_define(struct spaces *s, uint32_t number, const struct space_mapping *mappings,
		  size_t count);
struct space *spaces_get(const struct spaces *s, uint32_t number); /* NULL: no such */
struct space *spaces_next(const struct spaces *s, size_t *cursor); /* of all, in no order; the cursor begins at 0; NULL: no more */
bool spaces_remove(struct spaces *s, uint32_t number); /* true: the child knows (some of) it */
void spaces_lost(struct spaces *s); /* the child is gone, and what it knew */

DEFINE_CLEANUP(struct spaces *, spaces_free)
