/* SPDX-License-Identifier: BSD-2-Clause */
/* What the collector probe's two sides share. */
#pragma once
#include "wire.h"

enum {
	MOST_COLLECTIONS = 4096, /* at once, and processes that collect within a slice */
};

/* A collection shorter than this is counted, and not told by itself. */
#define TOLD_COLLECTION_NS 1000000ull

/* Of a process; user space takes it away each slice. */
struct collected {
	u64 count;
	u64 ns;
};
