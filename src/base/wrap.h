/* SPDX-License-Identifier: BSD-2-Clause */
/* Text in lines no longer than a terminal's, broken at blanks. */
#pragma once
#include <stddef.h>

#include "buf.h"

/* Of a terminal, which such text takes: one for each character. */
unsigned wrap_columns(const char *text, size_t len);

/* Appends the text, whose first word stands in column `at`, and a newline; further lines begin at `indent`. A word that is longer
 * than a line is not broken. The text is safe to print. */
void wrap_text(struct buf *b, const char *text, unsigned at, unsigned indent, unsigned width);
