/* SPDX-License-Identifier: BSD-2-Clause */
/* Waits followed to where they come from, under the current selection (store_select()): a thread waits, another one ends
 * that wait, and what that one did meanwhile is either its own doing or a wait behind the next one. All waits of a
 * thread at one stack are taken together, so a chain says what usually happens, with its share of the time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct store;

enum hop_kind {
	HOP_WAITS,     /* the thread waits at this stack */
	HOP_ACTS,      /* the thread runs, and ends the wait before from this stack */
	HOP_INTERRUPT, /* no thread ended the wait before: a device, the network or a timer did */
	HOP_QUEUES,    /* the thread waits for a CPU; no stack */
};

struct chain_hop {
	enum hop_kind kind;
	uint32_t task, stack; /* ids in the recording; task 0 of HOP_INTERRUPT; stack 0: not known */
	const char *cause;    /* of HOP_WAITS: "lock", "disk", ... as in the view wait_stack */
	bool idle;            /* of HOP_WAITS: it waits for work */
};

enum { CHAIN_HOPS = 12 };

struct wait_chains;

int wait_chains_new(struct store *s, struct wait_chains **ret_chains);
void wait_chains_free(struct wait_chains *c); /* NULL is fine */

/* From other sums than a recording's: make it of nothing, add in any order, then say that it is complete. */
struct wait_chains *wait_chains_empty(void);
/* `task` waited at `stack`. Waits at one stack are of one cause but for chance: the longest says. */
void wait_chains_add_wait(struct wait_chains *c, uint32_t task, uint32_t stack, const char *cause, bool idle, double ns);
/* `ns` of the waits of `task` at `stack` were ended by `other`, from `other_stack`; other 0: by an interrupt. */
void wait_chains_add_end(struct wait_chains *c, uint32_t task, uint32_t stack, uint32_t other, uint32_t other_stack, double ns);
/* While `task` waited at `stack` for `other`, that one acted or waited at `other_stack`, or queued for a CPU. */
void wait_chains_add_behind(struct wait_chains *c, uint32_t task, uint32_t stack, uint32_t other, uint32_t other_stack,
			    enum hop_kind did, double ns);
void wait_chains_complete(struct wait_chains *c);

/* Every chain: hops[0] is the wait that it explains; it goes on as far as is known, and does not come back to a place
 * that it has been at. The ns of all chains that begin with a wait add up to that wait's. What is less than `least_ns`
 * is not followed further. Waits for work begin no chain unless `idle`. */
typedef void chain_handler(void *arg, const struct chain_hop *hops, size_t count, double ns);
void wait_chains_walk(struct wait_chains *c, bool idle, double least_ns, chain_handler *handler, void *arg);

double wait_chains_total(const struct wait_chains *c, bool idle); /* ns of all waits */

DEFINE_CLEANUP(struct wait_chains *, wait_chains_free)
