/* SPDX-License-Identifier: BSD-2-Clause */
/* DWARF expressions as they occur in call frame information. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwind_regs.h"

#define UNWIND_EXPR_MAX 255 /* bytes of one expression */

/* Reads 8 bytes of the copied stack; false when they were not copied. */
typedef bool unwind_reader(void *arg, uint64_t address, uint64_t *ret_value);

/* Whether each operation is known and complete, and names only registers below `registers`. */
bool unwind_expr_check(const uint8_t *code, size_t len, unsigned registers);

/* Evaluates in bounded time; safe for any bytes, checked or not. `cfa`, unless NULL, is pushed
 * first. -ENODATA: memory or a register that is not known; -EINVAL: malformed. */
int unwind_expr_eval(const uint8_t *code, size_t len, const struct unwind_regs *regs,
		     const uint64_t *cfa, unwind_reader *read, void *arg, uint64_t *ret_value);
