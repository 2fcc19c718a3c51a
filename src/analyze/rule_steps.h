/* SPDX-License-Identifier: BSD-2-Clause */
/* SQLite plans a common table expression once for each place that names it, and whatever that one names as often again: a rule of
 * thirty expressions that build on each other is thousands of them to plan. Of such a rule, the expressions that more than one
 * other names are asked by themselves, one after the other, and their rows kept for what follows. It means the same. */
#pragma once
#include <stddef.h>

#include "buf.h"

struct rule_step {
	char *table; /* to keep its rows in, in the schema "temp" */
	char *sql;   /* SELECT that has them */
};

struct rule_steps {
	struct rule_step *items;
	size_t count, capacity;
	struct buf rest; /* the rule, with what was kept in place of those expressions */
};

/* No steps, and the text as it is in `rest`, for a rule that is simple or not written as expected. */
void rule_steps_init(struct rule_steps *steps, const char *sql);
void rule_steps_done(struct rule_steps *steps);
