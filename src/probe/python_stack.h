/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks of processes that run CPython, with its frames in place of the interpreter's (python_merge.h). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python_merge.h"
#include "python_process.h"

struct frames;
struct mappings;

struct python_stack {
	struct python_loop loop;
	bool cut; /* outer frames are missing */
	uint32_t depth;
	struct python_frame frames[]; /* of the recording; leaf first */
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
