/* SPDX-License-Identifier: BSD-2-Clause */
/* Dense ids for keys of one fixed size, without padding: as intern.h, in a third of the memory. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct keys;

struct keys *keys_new(size_t size);
void keys_free(struct keys *k);
uint32_t keys_id(struct keys *k, const void *key, bool *ret_new); /* ids count up from 0 */
bool keys_find(const struct keys *k, const void *key, uint32_t *ret_id);
const void *keys_get(const struct keys *k, uint32_t id); /* valid until the next one is added */
uint32_t keys_count(const struct keys *k);
void keys_clear(struct keys *k); /* the memory stays, for the next ones */

DEFINE_CLEANUP(struct keys *, keys_free)
