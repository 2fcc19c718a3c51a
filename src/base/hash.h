/* SPDX-License-Identifier: BSD-2-Clause */
/* A 64-bit hash of bytes, and a table from 64-bit keys to 64-bit values. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

uint64_t hash_bytes(const void *data, size_t len);
uint64_t hash_u64(uint64_t key);

struct map; /* uint64_t -> uint64_t */

struct map *map_new(void);
void map_free(struct map *m);
bool map_get(const struct map *m, uint64_t key, uint64_t *ret_value);
void map_put(struct map *m, uint64_t key, uint64_t value);
bool map_remove(struct map *m, uint64_t key);
size_t map_count(const struct map *m);
/* Walk: start with *cursor = 0; false at the end. The map must not change meanwhile. */
bool map_next(const struct map *m, size_t *cursor, uint64_t *ret_key, uint64_t *ret_value);

DEFINE_CLEANUP(struct map *, map_free)
