/* SPDX-License-Identifier: BSD-2-Clause */
/* What was looked at of late: a table that forgets. It keeps the `most` keys that were found or added last, and never more than twice
 * as many. Keys and values have fixed sizes and no padding. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct recent;

struct recent *recent_new(size_t key_size, size_t value_size, uint32_t most);
void recent_free(struct recent *r);
/* The key's value, to be changed at will until the next call; NULL: not known, or forgotten. */
void *recent_find(struct recent *r, const void *key);
void *recent_add(struct recent *r, const void *key); /* one that is not known; its value is zero */

DEFINE_CLEANUP(struct recent *, recent_free)
