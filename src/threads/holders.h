/* SPDX-License-Identifier: BSD-2-Clause */
/* Which processes hold which sockets and pipes: one walk over /proc. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct holder {
	uint64_t inode;
	uint32_t pid;
	bool reads, writes; /* as it was opened; a socket does both */
};

struct holders {
	struct holder *items; /* by inode, then process */
	size_t count, capacity;
};

void holders_read(struct holders *h);
void holders_done(struct holders *h);
/* All of one inode: the first, and how many. */
const struct holder *holders_of(const struct holders *h, uint64_t inode, size_t *ret_count);
