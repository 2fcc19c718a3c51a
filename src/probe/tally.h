/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts by key, until they are written: once a slice. All zero is an empty one. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct intern;

struct tally {
	struct intern *keys; /* NULL: none */
	uint64_t *counts;    /* by key id */
	uint32_t capacity;
};

void tally_add(struct tally *t, const void *key, size_t size, uint64_t count);
/* Tells all counts, in the order in which their keys came, and forgets them. The key may be unaligned. */
void tally_take(struct tally *t, void (*each)(void *arg, const void *key, uint64_t count), void *arg);
void tally_done(struct tally *t);
