/* SPDX-License-Identifier: BSD-2-Clause */
/* Executable mappings of a process: address -> module and file offset. Shared between a process and
 * the children it forks until one of them changes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct mapping {
	uint64_t start, end, offset; /* offset: of `start` in the file */
	uint32_t module;             /* id in images.h */
	bool stored;                 /* already in the recording */
};

struct mappings;

struct mappings *mappings_new(void);
struct mappings *mappings_ref(struct mappings *m);
void mappings_unref(struct mappings *m);

/* The process's own set, to change: copies *m first if it is shared. */
struct mappings *mappings_own(struct mappings **m);

/* The number under which somebody else knows this set; 0 none. When the set changes or is freed, `forget` is
 * told, and the number is 0 again. */
typedef void mappings_forget(void *arg, uint32_t space);
uint32_t mappings_space(const struct mappings *m);
void mappings_set_space(struct mappings *m, uint32_t space, mappings_forget *forget, void *arg);

void mappings_clear(struct mappings *m);
/* Replaces whatever it overlaps, as mmap(2) does. */
void mappings_add(struct mappings *m, const struct mapping *mapping);
struct mapping *mappings_find(struct mappings *m, uint64_t address); /* NULL: nothing executable there */
size_t mappings_count(const struct mappings *m);
const struct mapping *mappings_get(const struct mappings *m, size_t index); /* in order of address */
