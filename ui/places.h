/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks as screens tell them. */
#pragma once
#include "lines.h"
#include "screen.h"
#include "stack_view.h"

/* The function that speaks for a stack: the innermost of the program's own, behind those of the C library, of a
 * language's runtime and of locks; else the innermost. NULL: there is no stack. */
const struct stack_frame *stack_speaker(struct stack_view *v, uint32_t stack);
/* What the innermost function that says what is waited for takes: only then is the wait for a lock, and not for work, a
 * signal or another thread's end. */
enum lock_kind { LOCK_NONE, LOCK_LOCK, LOCK_CONDITION, LOCK_SEMAPHORE, LOCK_OTHER };
extern const char *const lock_kind_names[];

/* The same of many rows with few stacks: each is looked at once. Valid as long as the view does not follow. */
struct places;
struct place {
	const struct stack_frame *speaker; /* as above */
	enum lock_kind lock_kind;
	bool known;
};
struct places *places_new(struct stack_view *v);
void places_free(struct places *p); /* NULL is fine */
const struct place *places_of(struct places *p, uint32_t stack);

/* The innermost frame first, with its file and line where they are known. Of a wait, the kernel's part is one line: the
 * way into the scheduler is the same everywhere. */
void lines_add_stack(struct lines *l, struct stack_view *v, uint32_t stack, unsigned indent, unsigned most);
void lines_add_wait(struct lines *l, struct stack_view *v, uint32_t stack, unsigned indent, unsigned most);
bool is_held_up_metric(const char *name); /* "wait.X" in which somebody holds the thread up; waits for work do not */

DEFINE_CLEANUP(struct places *, places_free)
