/* SPDX-License-Identifier: BSD-2-Clause */
/* The view stack_speaker without a recursion over all stacks. */
#pragma once
#include "intern.h"
#include "rows_table.h"
#include "store_query.h"

/* `stacks` are id, parent, frame; `speakers` stack, function, path, whose texts are in `texts`. */
int store_find_speakers(struct store *s, const struct rows_table *stacks, struct intern *texts, struct rows_table *speakers);
