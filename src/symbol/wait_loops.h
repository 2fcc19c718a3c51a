/* SPDX-License-Identifier: BSD-2-Clause */
/* Loops in machine code that only wait: for a byte of memory that somebody else changes. Child only. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum wait_loop_kind {
	WAIT_LOOP_PAUSE,    /* it tells the CPU so: pause, yield */
	WAIT_LOOP_EXCHANGE, /* it tries an atomic exchange again and again */
	WAIT_LOOP_LOAD,     /* it reads memory, and nothing outlives a round */
	WAIT_LOOP_KINDS,
};

enum { WAIT_LOOPS_MOST = 64 }; /* of one function */

struct wait_loop {
	uint64_t start, end;
	uint32_t kind; /* enum wait_loop_kind */
	uint32_t unused;
};

/* Those in a function of this machine's code at `start`; how many there are. */
size_t wait_loops_find(const void *code, size_t size, uint64_t start, struct wait_loop loops[WAIT_LOOPS_MOST]);
