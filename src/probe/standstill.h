/* SPDX-License-Identifier: BSD-2-Clause */
/* When no CPU of the machine ran: its host stopped it, or moved it elsewhere. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* A CPU's clock did not tick in between, CLOCK_MONOTONIC; 0: there was no such time. */
struct standstill {
	uint64_t since_ns, until_ns;
};

/* What the CPUs' gaps have in common, if that is least_ns or more. */
bool standstill_common(const struct standstill *gaps, uint32_t count, uint64_t least_ns, struct standstill *ret_common);
