/* SPDX-License-Identifier: BSD-2-Clause */
/* Which functions' machine code goes into the recording: those with CPU samples of their own, as far as there
 * is room for it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct code;

struct code_function {
	uint32_t symbol, module; /* of the recording */
	uint64_t start, size;   /* in its module */
};

struct code *code_new(void);
void code_free(struct code *c);

/* A CPU sample is in this frame (they count from 0); this frame lies in that function. True: the code of the function
 * (*ret_function, *function) is wanted now. */
bool code_sampled(struct code *c, uint32_t frame, struct code_function *ret_function);
bool code_named(struct code *c, uint32_t frame, const struct code_function *function);
void code_forget_frames(struct code *c); /* they count from 0 again */

/* A place that has no function's name stands for one. */
void code_place(struct code *c, const struct code_function *place);

/* What code_named() was told of a symbol. */
struct code_function code_of(const struct code *c, uint32_t symbol);
