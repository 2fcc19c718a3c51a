/* SPDX-License-Identifier: BSD-2-Clause */
/* A process seen from outside: its mappings, its memory, its descriptors. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "cleanup.h"

struct space_mapping {
	uint64_t start, end, offset, inode;
	uint32_t major, minor;
	bool executable, writable;
	const char *path; /* "" for anonymous memory; ends with " (deleted)" when it is */
};

struct space {
	uint32_t pid, reader; /* a thread of it that lives: a leader may have ended */
	struct space_mapping *items; /* by address */
	size_t count, capacity;
	char *text; /* the paths */
};

/* Reads the mappings; negative errno without a message. */
int space_new(uint32_t pid, struct space **ret);
void space_free(struct space *s);

const struct space_mapping *space_find(const struct space *s, uint64_t address);
/* The mapping of a file that holds the variable at the address: also when it lies in the zeroed
 * memory that follows the file's own. */
const struct space_mapping *space_data(const struct space *s, uint64_t address);

/* Reads from its memory without stopping it: the bytes that could be read, from the first on. */
size_t space_read(const struct space *s, uint64_t address, void *to, size_t len);
bool space_read_all(const struct space *s, uint64_t address, void *to, size_t len);

/* What descriptor `fd` of the thread is, as /proc says it: "socket:[123]", a path. False: unknown.
 */
bool space_descriptor(const struct space *s, uint32_t tid, int fd, struct buf *b);
bool space_fdinfo(const struct space *s, uint32_t tid, int fd, struct buf *b);

DEFINE_CLEANUP(struct space *, space_free)
