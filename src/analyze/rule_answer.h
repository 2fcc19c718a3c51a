/* SPDX-License-Identifier: BSD-2-Clause */
/* What a rule's SELECT said, as bytes, because it may have been asked in another process. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "cleanup.h"

struct rule;
struct store;

struct rule_cell {
	const char *text; /* NULL: NULL */
	double real;      /* the same as a number */
};

struct rule_answer {
	int error;               /* the recording cannot be read, for the reason in `complaint`; 0 */
	const char *complaint;   /* why the rule could not be asked, or not to its end; "" */
	const char **names;      /* of the columns */
	struct rule_cell *cells; /* row by row */
	size_t columns, rows;
};

/* Appends the answer to `bytes`. `objectives` are rules_objectives(). */
void rule_ask(struct store *s, const struct rule *rule, const char *objectives, struct buf *bytes);

/* What such bytes say, which must live as long; false: they are cut off. */
bool rule_answer_read(const struct buf *bytes, struct rule_answer *ret_answer);
void rule_answer_done(struct rule_answer *a);
