/* SPDX-License-Identifier: BSD-2-Clause */
/* Weighted call stacks, counted: many stacks in, one tree with a value for each path out.
 *
 * Stacks are added to one of two sides; a flame graph without comparison has only FLAME_NEW. What
 * is counted is exact. Values are samples, nanoseconds, bytes, ...: the tree does not care. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

enum flame_kind {
	FLAME_USER,
	FLAME_KERNEL,
	FLAME_JIT,
	FLAME_PYTHON,
	FLAME_INLINED,
	FLAME_TASK,    /* a process or thread, where the tree starts with one */
	FLAME_UNKNOWN, /* code without a name */
	FLAME_KINDS,
};

enum flame_side { FLAME_NEW, FLAME_BASE, FLAME_SIDES };

struct flame_frame {
	const char *name; /* any bytes but NUL */
	enum flame_kind kind;
};

struct flame;

struct flame *flame_new(void);
void flame_free(struct flame *f); /* NULL is fine */

/* `value` must be finite and not negative. Nothing is kept of `root_to_leaf`. */
void flame_add(struct flame *f, enum flame_side side, const struct flame_frame *root_to_leaf,
	       size_t depth, double value);
/* The same with a stack as folded files write it: "main;run;read_[k]", in any bytes. */
void flame_add_text(struct flame *f, enum flame_side side, const char *stack, size_t len,
		    double value);

/* For those who know a tree already: the node of more frames below one (0: the root), and a value for a node itself. */
uint32_t flame_node(struct flame *f, uint32_t parent, const struct flame_frame *frames, size_t count);
void flame_add_to(struct flame *f, enum flame_side side, uint32_t node, double value);

/* Many at once: several times as fast where the tree is larger than the CPU's caches. */
struct flame_stack {
	const char *text;
	size_t len;
	enum flame_side side;
	double value;
};
void flame_add_stacks(struct flame *f, const struct flame_stack *stacks, size_t count);

double flame_total(const struct flame *f, enum flame_side side);
size_t flame_bytes(const struct flame *f); /* memory in use */

DEFINE_CLEANUP(struct flame *, flame_free)
