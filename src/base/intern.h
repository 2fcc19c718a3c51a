/* SPDX-License-Identifier: BSD-2-Clause */
/* Dense ids for byte strings: the same bytes always get the same id, ids count up from 0.
 * Keys may be text or packed structs without padding. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct intern;

struct intern *intern_new(void);
void intern_free(struct intern *in);
uint32_t intern_id(struct intern *in, const void *key, size_t len, bool *ret_new); /* ret_new may be NULL */
bool intern_find(const struct intern *in, const void *key, size_t len, uint32_t *ret_id);
const void *intern_key(const struct intern *in, uint32_t id, size_t *ret_len); /* NUL-terminated; ret_len may be NULL */
uint32_t intern_count(const struct intern *in);
size_t intern_bytes(const struct intern *in);

DEFINE_CLEANUP(struct intern *, intern_free)
