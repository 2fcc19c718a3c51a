/* SPDX-License-Identifier: BSD-2-Clause */
/* Which functions' machine code goes into the recording: those with CPU samples of their own, as far as there
 * is room for it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct code;

struct code_function {
	uint32_t symbol, module; /* of the recording */
	uint64_t start, size;   /* in its module; size 0: its code cannot be had */
};

struct code *code_new(void);
void code_free(struct code *c);

/* So many more CPU samples are in the function itself. True: its code is wanted now. */
bool code_sampled(struct code *c, const struct code_function *function, uint32_t samples);

/* A place that has no function's name stands for one. */
void code_place(struct code *c, const struct code_function *place);

/* One whose code was wanted, or a place. */
struct code_function code_of(const struct code *c, uint32_t symbol);
