/* SPDX-License-Identifier: BSD-2-Clause */
/* Ids for the things that are measured and waited for, each written to the recording once. In a store that keeps the last minutes
 * those that come and go (files, locks, connections) are forgotten when nothing is about them any more, and their ids stand for
 * others then. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct resources;
struct store;

struct resources *resources_new(struct store *s);
void resources_free(struct resources *r); /* NULL is fine */

/* What has the same kind and key is the same thing; the first one's name counts. */
uint32_t resources_id(struct resources *r, const char *kind, const char *key, const char *name, uint32_t slice);
/* For who keeps an id: it is in use. */
void resources_use(struct resources *r, uint32_t id, uint32_t slice);
/* A slice's rows have been written: forgets, when there are many. */
void resources_end_slice(struct resources *r, uint32_t slice);
/* How often some were forgotten: who keeps ids without saying so looks them up again when this changes. */
uint32_t resources_forgotten(const struct resources *r);

DEFINE_CLEANUP(struct resources *, resources_free)
