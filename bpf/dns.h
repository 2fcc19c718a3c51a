/* SPDX-License-Identifier: BSD-2-Clause */
/* What the dns probe's two sides share. */
#pragma once
#include "wire.h"

enum { MOST_DNS_SUMS = 1024 };

struct dns_key {
	u8 address[16]; /* of the server; IPv4 as ::ffff:a.b.c.d */
	u32 tgid;
};

/* User space takes it away each slice. */
struct dns_sum {
	u64 sent;
	u64 answered, ns; /* ns: from a query to its answer, of those that were answered */
	u32 latency[LATENCY_BUCKETS];
};
