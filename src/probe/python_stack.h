/* SPDX-License-Identifier: BSD-2-Clause */
/* Python's frames among the native ones: each run of the interpreter's loop gives way to the Python
 * frames that it runs, and what the interpreter calls itself through between two runs is left out.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python_process.h"

struct frames;
struct mappings;

struct python_frame {
	uint32_t frame; /* id of the recording; 0: only marks the end of a run */
	bool entry;     /* outermost of its run */
};

struct python_stack {
	struct python_loop loop;
	bool cut; /* outer frames are missing */
	uint32_t depth;
	struct python_frame frames[]; /* leaf first */
};

struct native_stack {
	struct process *process;
	struct mappings *mappings;
	const uint64_t *addresses; /* leaf first, all but the first return addresses */
	size_t depth;
	bool cut;
	uint64_t now_ns;
};

/* Whether the interpreter's loop is in it. */
bool native_stack_has(const struct native_stack *native, const struct python_loop *loop);

/* Both on top of `parent`; ret. the stack's id. */
uint32_t python_stack_push(const struct python_stack *ps, struct frames *f, uint32_t parent,
			   const struct native_stack *native);
