/* SPDX-License-Identifier: BSD-2-Clause */
/* A blocked thread's stack: the kernel's as it was told, the program's from its registers and
 * memory. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "namer.h"
#include "python.h"
#include "raw.h"
#include "space.h"

struct stack {
	const uint64_t *user; /* addresses, leaf first, once the reader has finished */
	size_t user_count;
	uint32_t *places;     /* user, then kernel, once placed */
	const char *ended;    /* why the program's frames do not reach the root; NULL: they do */
	const struct python_trace *python; /* in place of the interpreter's frames; NULL: none */
	uint32_t answer;      /* the reader's number + 1 of what is due; 0: nothing */
};

struct stack_reader;

/* Makes the namer, too, which the answers come through. Negative errno with a message. */
int stack_reader_new(struct arena *memory, struct stack_reader **ret);
void stack_reader_free(struct stack_reader *r);
struct namer *stack_reader_namer(struct stack_reader *r);

/* Before its threads are read. */
void stack_reader_define(struct stack_reader *r, const struct space *s);
/* Copies the stack as it is now and has it unwound. */
void stack_reader_read(struct stack_reader *r, struct stack *stack, const struct space *s,
		       const struct raw_thread *t);
void stack_reader_finish(struct stack_reader *r); /* waits for what is due, within bounds */
/* After that; the frames live as long as the reader. */
void stack_take(struct stack *stack, const struct stack_reader *r);

uint64_t stack_pointer(const struct raw_thread *t); /* 0 unknown */

void stack_reset(struct stack *stack, const char *ended);
void stack_done(struct stack *stack);
void stack_place(struct stack *stack, struct namer *n, const struct space *s,
		 const struct raw_thread *t);

struct stack_names {
	const char **user, **kernel; /* leaf first */
	const char **sources;        /* of the program's functions, where known; NULL: of none */
	size_t user_count, kernel_count;
};
/* After namer_finish(); the strings live as long as the namer's memory, or the thread. */
struct stack_names stack_names(const struct stack *stack, const struct namer *n,
			       const struct raw_thread *t);
void stack_names_done(const struct stack_names *names);

DEFINE_CLEANUP(struct stack_reader *, stack_reader_free)
