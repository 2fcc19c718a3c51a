/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures whose user stack is being unwound elsewhere: all that is needed once the answer comes,
 * when the process may be gone and its mappings others. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "stacks.h"

struct mappings;
struct python_stack;

struct pending {
	struct process *process;   /* held */
	struct mappings *mappings; /* a reference of its own: as they were at the capture */
	uint64_t now_ns;
	stacks_done *done;
	unsigned char data[STACKS_DATA_BYTES];
	struct python_stack *python; /* owned; NULL: none */
	uint32_t kernel_depth, walked_depth;
	uint64_t frames[]; /* leaf first: the kernel's, then those of the kernel's walk of the user stack, if there is one */
};

struct pendings;

struct pendings *pendings_new(void);
void pendings_free(struct pendings *ps); /* releases what is left without calling done() */

bool pendings_full(const struct pendings *ps);
uint32_t pendings_count(const struct pendings *ps);
/* Keeps a copy of `capture` but for the stack's bytes, and takes `python`. Returns the cookie to take it back with. */
uint64_t pendings_add(struct pendings *ps, struct process *p, const struct stack_capture *capture, uint64_t now_ns,
		      struct python_stack *python, stacks_done *done, const void *data, size_t data_len);
struct pending *pendings_take(struct pendings *ps, uint64_t cookie); /* NULL: not (or no more) there */
struct pending *pendings_take_any(struct pendings *ps);
void pending_free(struct pending *p);
