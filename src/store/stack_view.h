/* SPDX-License-Identifier: BSD-2-Clause */
/* A recording's stacks with names. Everything is read once (new things by stack_view_follow()); a walk touches memory only.
 * Names, paths and files come from other processes: escape them where they are shown. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct store;

enum code_kind { CODE_KERNEL, CODE_ELF, CODE_VDSO, CODE_JIT, CODE_PYTHON, CODE_UNKNOWN, CODE_KINDS };

struct stack_frame {
	const char *name;   /* the symbol's, else "[module+0xoffset]" */
	const char *module; /* path, or "[kernel]", "[vdso]", "[jit]", "[unknown]"; of Python code its source file */
	const char *file;   /* of the source; NULL: unknown */
	uint32_t line;      /* 0: unknown */
	uint32_t symbol;    /* its id in the recording; 0: none */
	uint32_t function;  /* the same for the same name in the same module; below stack_view_functions() */
	enum code_kind kind;
	bool inlined;       /* into the frame before it */
};

struct stack_view;

/* -EBADMSG with a message when the tables contradict each other: no walk can fail afterwards. */
int stack_view_new(struct store *s, struct stack_view **ret_view);
/* The store's own, made when first asked for, and gone with the kept totals: while there are any nothing new is written. */
int stack_view_kept(struct store *s, struct stack_view **ret_view);
/* Reads what was written since, for a store that is being recorded: frames got before are void. */
int stack_view_follow(struct stack_view *v);
void stack_view_free(struct stack_view *v); /* NULL is fine */

/* Frames from the root to the leaf, inlined functions as frames of their own. The array is valid until
 * the next walk, the frames as long as the view. No frames: 0, or a stack that is not there. */
const struct stack_frame *const *stack_view_walk(struct stack_view *v, uint32_t stack, size_t *ret_depth);

/* Its own frames, without its callers': one, and those that are inlined there. */
const struct stack_frame *stack_view_own(const struct stack_view *v, uint32_t stack, size_t *ret_count);
uint32_t stack_view_functions(const struct stack_view *v);
/* For tables by stack: ids may be large, places are as many as there are stacks, and below this number. They change when the view
 * follows. */
uint32_t stack_view_places(const struct stack_view *v);
uint32_t stack_view_place(const struct stack_view *v, uint32_t stack); /* 0: it is not there */
uint32_t stack_view_at(const struct stack_view *v, uint32_t place);    /* the stack of that place */
uint32_t stack_view_parent(const struct stack_view *v, uint32_t stack); /* who called it: a lower id; 0: nobody */
/* A byte for what its reader has found out about a function, 0 at first; valid until the view follows. */
uint8_t *stack_view_note(struct stack_view *v, uint32_t function);

DEFINE_CLEANUP(struct stack_view *, stack_view_free)
