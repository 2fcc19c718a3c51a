/* SPDX-License-Identifier: BSD-2-Clause */
/* A captured stack as text, with the table rows that it needs and the frames that it must give.
 *
 *   reg NUMBER VALUE            map START END CODE BIAS TABLE NAME     (TABLE: index, - for none)
 *   stack ADDRESS LENGTH        word ADDRESS VALUE                     (words not listed are zero)
 *   table HEX                   frame ADDRESS exact|call NAME
 *   status complete|truncated|unreadable REASON
 *
 * Numbers are hexadecimal. Stack words that are neither needed nor addresses of code or stack are
 * left out: a case holds nothing of the process's data. */
#pragma once
#include <stdio.h>

#include "capture.h"

int case_write(struct capture *c, const struct unwind_output *out, struct oracle *o, FILE *f);

/* A case in memory; `expected` holds the frames and status that the file names. */
struct unwind_case {
	struct unwind_input input;
	struct unwind_output expected;
	struct unwind_stack stacks[2];
	struct unwind_mapping mappings[256];
	struct unwind_table *tables[64];
	size_t table_count;
};
int case_read(const char *path, struct unwind_case **ret_case); /* errors name file and line */
void case_free(struct unwind_case *c);

DEFINE_CLEANUP(struct unwind_case *, case_free)
