/* SPDX-License-Identifier: BSD-2-Clause */
/* Running programs that compile at run time, and whether they tell others what they compiled. */
#pragma once
#include "buf.h"

struct runtimes {
	unsigned running, without_map;
	struct buf lacking; /* "node 4242, java 77": names are the processes' own, hostile */
	struct buf advice;
};

void runtimes_find(struct runtimes *found); /* fill with RUNTIMES_INIT first */
void runtimes_done(struct runtimes *found);

#define RUNTIMES_INIT                                   \
	{                                               \
		.lacking = BUF_INIT, .advice = BUF_INIT \
	}
