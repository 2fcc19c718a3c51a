/* SPDX-License-Identifier: BSD-2-Clause */
/* Captured addresses -> frames and stacks of the recording: each is interned and written once, and new
 * frames are handed to the symbolizer, whose answers are written when they come. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#include "store_write.h"

struct stacks;
struct process;
struct loop;

struct stacks_options {
	bool inlined; /* expand inlined functions where there is debug info */
};

int stacks_new(struct store *s, const struct stacks_options *o, struct stacks **ret_stacks);
void stacks_free(struct stacks *st);

int stacks_fd(const struct stacks *st);       /* readable when names have come */
int stacks_dispatch(struct stacks *st);       /* takes them in */
void stacks_finish(struct stacks *st, uint64_t timeout_ns); /* waits for the names that are missing */

/* A mapping event or a line of /proc/PID/maps. */
struct stacks_mapping {
	uint64_t start, end, offset, inode;
	uint32_t major, minor;
	const char *path;
};
void stacks_map(struct stacks *st, struct process *p, const struct stacks_mapping *m);
void stacks_read_mappings(struct stacks *st, struct process *p); /* once, from /proc */

/* The stack's id, 0 when it is empty. Both arrays are leaf first; the user frames lie below the kernel's. */
uint32_t stacks_id(struct stacks *st, struct process *p, const uint64_t *kernel, size_t kernel_depth,
		   const uint64_t *user, size_t user_depth, uint64_t now_ns);

uint32_t stacks_unnamed(const struct stacks *st); /* frames still waiting for the symbolizer */
