/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of what threads wait on in memory: "0x55d0 (inventory_lock+0x0)", by the variable that is there, or the
 * region ("[heap]", "[stack]", a file) that it lies in. */
#pragma once
#include <stdint.h>

#include "cleanup.h"

struct capture;
struct lock_names;
struct process;

struct lock_names *lock_names_new(struct capture *c);
void lock_names_free(struct lock_names *l); /* NULL is fine */

/* The resource; a variable's name is written when it is known, which may be a moment later. */
uint32_t lock_names_resource(struct lock_names *l, struct process *p, uint64_t address);
/* A new slice: so many more may be looked up. */
void lock_names_slice(struct lock_names *l);

DEFINE_CLEANUP(struct lock_names *, lock_names_free)
