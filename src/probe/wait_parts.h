/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of threads' blocked time in one slice: of waits that were drawn, each standing for more than itself, scaled to the exact
 * times (owed.h) as they are written. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capture;
struct map;
struct owed;

struct wait_part {
	struct owed *owed; /* its thread's; each part has a reference */
	uint32_t task, stack, resource;
	uint32_t site; /* of one whose stack is the kernel's part alone; else 0 */
	uint8_t cause;
	bool exact;   /* not to be scaled */
	uint64_t count;
	double ns; /* weighted */
};

struct wait_parts {
	struct wait_part *items;
	size_t count, capacity;
};

/* Takes the part's reference. */
void wait_parts_add(struct wait_parts *p, const struct wait_part *part);
/* Writes all and forgets them. `first_metric` is that of STATE_SLEEPING; partial stacks are completed by `stacks`, which has them by
 * task and site. */
void wait_parts_write(struct wait_parts *p, struct capture *c, uint32_t first_metric, const struct map *stacks);
void wait_parts_done(struct wait_parts *p);
