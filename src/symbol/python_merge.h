/* SPDX-License-Identifier: BSD-2-Clause */
/* Python's frames among the native ones: each run of the interpreter's loop gives way to the Python
 * frames that it runs, and what the interpreter calls itself through between two runs is left out.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where in the native stack's interpreter an address is. */
enum python_place_of { PYTHON_ELSEWHERE, PYTHON_IN_INTERPRETER, PYTHON_IN_LOOP };

struct python_frame {
	uint32_t frame; /* the caller's number; 0: only marks the end of a run */
	bool entry;     /* outermost of its run */
};

/* All leaf first. */
struct python_merge {
	const struct python_frame *python;
	uint32_t python_depth;
	const enum python_place_of *native;
	size_t native_depth;
	bool python_cut, native_cut; /* outer frames are missing */
};

typedef void python_merged(void *arg, bool python, size_t i); /* the i-th of those frames */

/* Tells the frames of the whole stack, root first. */
void python_merge(const struct python_merge *m, python_merged *tell, void *arg);
