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

/* The one around `at`, where an instruction begins in code that was made at run time: `size` bytes from `start` on, of which
 * more is not known. Such code looks in each round whether its runtime wants it to stop. */
size_t wait_loops_around(const void *code, size_t size, uint64_t start, uint64_t at, struct wait_loop *ret_loop);
/* Those in a function of this machine's code at `start`; how many there are. */
size_t wait_loops_find(const void *code, size_t size, uint64_t start, struct wait_loop loops[WAIT_LOOPS_MOST]);
