/* SPDX-License-Identifier: BSD-2-Clause */
/* How one frame's registers lead to its caller's: what a row of an unwind table stands for.
 *
 * Few distinct rules serve a whole module, so that a row only needs an address and a number. The
 * layout is also that of the cache on disk. */
#pragma once
#include <stdint.h>

enum unwind_cfa {
	UNWIND_CFA_NONE,        /* no call frame information here */
	UNWIND_CFA_UNSUPPORTED, /* there is some, and it is beyond this unwinder or malformed */
	UNWIND_CFA_REGISTER,    /* register `cfa_reg` + `cfa_value` */
	UNWIND_CFA_EXPRESSION,  /* the value of expression number `cfa_value` */
	UNWIND_CFA_KINDS,
};

enum unwind_how {
	UNWIND_HOW_SAME,          /* not saved: the caller's value is still there */
	UNWIND_HOW_UNDEFINED,     /* lost; for the return address: there is no caller */
	UNWIND_HOW_AT_CFA,        /* in memory at CFA + value */
	UNWIND_HOW_IS_CFA,        /* CFA + value itself */
	UNWIND_HOW_REGISTER,      /* in the register numbered value */
	UNWIND_HOW_AT_EXPRESSION, /* in memory where expression number value says */
	UNWIND_HOW_IS_EXPRESSION, /* what expression number value says */
	UNWIND_HOW_KINDS,
};

#define UNWIND_SAVE_MAX ((1 << 22) - 1) /* of a save's value, either sign */

struct unwind_save {
	uint32_t reg : 6;
	uint32_t how : 3;
	int32_t value : 23;
};

#define UNWIND_RULE_SIGNAL 1 /* the frame was entered by a signal: its caller was interrupted */

struct unwind_rule {
	uint8_t cfa; /* enum unwind_cfa */
	uint8_t cfa_reg;
	uint8_t flags;
	uint8_t saves;
	int32_t cfa_value;
	struct unwind_save save[]; /* by register number; those that are not here are unchanged */
};
