/* SPDX-License-Identifier: BSD-2-Clause */
/* Python's code objects as the kernel side reads them once: addresses -> functions and their lines.
 * Equal functions of different processes are one. */
#pragma once
#include "frames.h"
#include "wire.h"

struct python_codes;

struct python_codes *python_codes_new(void);
void python_codes_free(struct python_codes *pc);

/* From now on the address means this function, in this process. */
void python_codes_add(struct python_codes *pc, struct process *p,
		      const struct python_code_record *r, uint8_t lines_format);
/* What a packed Python frame stands for: a function and its line (0: not known). Never fails: a
 * function that was not told is one named so. */
struct interpreted python_codes_find(const struct python_codes *pc, const struct process *p,
				     uint64_t packed, uint32_t *ret_line);
