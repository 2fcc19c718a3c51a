/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is released all at once: trees and strings that live as long as their owner. */
#pragma once
#include <stddef.h>

#include "cleanup.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a); /* NULL is fine */
void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned to 16 */
char *arena_strndup(struct arena *a, const char *text, size_t length); /* NUL-terminated copy */
size_t arena_bytes(const struct arena *a); /* taken from the system so far */

DEFINE_CLEANUP(struct arena *, arena_free)
