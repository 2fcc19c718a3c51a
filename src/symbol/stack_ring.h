/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is shared with the child that unwinds, for copied stacks on their way. They are other
 * people's memory: it is in no file and, where the limits allow, is not swapped out; the child
 * clears each piece after use, and what is left is cleared with the ring.
 *
 * Pieces are given back in the order in which they were taken. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct stack_ring {
	int fd; /* -1: not there */
	char *base;
	size_t size;
	size_t head, tail; /* the next piece; the oldest piece */
	size_t pieces;
	size_t high; /* touched so far */
};

int stack_ring_init(struct stack_ring *r, size_t size); /* negative errno without a message */
void stack_ring_done(struct stack_ring *r); /* clears what is in it */
/* SIZE_MAX: no room. */
size_t stack_ring_take(struct stack_ring *r, size_t len);
void stack_ring_give_back(struct stack_ring *r, size_t at, size_t len);
void stack_ring_trim(struct stack_ring *r); /* memory that a burst took, behind what is in use */
