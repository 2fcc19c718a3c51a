/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose data the kernel's own threads write: each thread's account of pages that it has dirtied and that have not been
 * written yet, by disk. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct dirtier {
	uint32_t disk; /* resource */
	uint32_t task;
	double bytes;  /* to be written */
};

struct dirtiers {
	struct dirtier *items;
	size_t count, capacity;
};

void dirtiers_done(struct dirtiers *d);
void dirtiers_add(struct dirtiers *d, uint32_t disk, uint32_t task, uint64_t bytes);

/* `bytes` have been written: they are shared out by what each thread has there; where it has nothing, because the file
 * system lies on another device above this one, by what each has anywhere. Nobody is given more than it has dirtied.
 * Shares are of the whole; returns their sum. */
typedef void dirtiers_share(void *arg, uint32_t task, double share);
double dirtiers_take(struct dirtiers *d, uint32_t disk, uint64_t bytes, dirtiers_share *each, void *arg);

/* The thread with the most to be written there; 0 none. */
uint32_t dirtiers_first(const struct dirtiers *d, uint32_t disk);
