/* SPDX-License-Identifier: BSD-2-Clause */
/* Machine code -> rows with address, bytes, text and direct targets. */
#pragma once
#include "annotate.h"
#include "arena.h"

/* Fills a->rows from a->address on, for a->machine. Any bytes will do: what is no instruction becomes data.
 * -ENOTSUP with a message: another machine. `code` must live as long as the annotation. */
int disassemble(struct annotation *a, const uint8_t *code, size_t len, bool intel);
