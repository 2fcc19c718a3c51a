/* SPDX-License-Identifier: BSD-2-Clause */
/* A question to a store that is being recorded into: a child asks a copy of it (fork), so that neither recorder nor
 * screen wait for the answer. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

struct ask;
struct loop;
struct store;

/* In the child: what it does to the store is done to the copy. NULL: no answer. */
typedef json_t *ask_function(struct store *s, const void *question);
/* In the parent, from the loop. The answer is a new reference, NULL if there is none; cpu_ns is what it cost. Returns a
 * negative errno to end the loop. */
typedef int ask_answered(void *arg, json_t *answer, uint64_t cpu_ns);

struct ask *ask_new(struct store *s, struct loop *l, ask_function *function, ask_answered *answered, void *arg);
void ask_free(struct ask *a); /* NULL is fine; a child is killed */

bool ask_is_pending(const struct ask *a);
/* Nothing happens while one is pending, or when there can be no child. */
void ask_start(struct ask *a, const void *question);

DEFINE_CLEANUP(struct ask *, ask_free)
