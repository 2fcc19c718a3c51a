/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules are many questions that have nothing to do with each other: processes ask them on CPUs that this one does not use. They are
 * forked, so that they have what is kept of the recording in memory (store_keep_totals()), and end with the last rule. They share the
 * recording's descriptor, too: SQLite reads at offsets, and what it keeps for itself is in memory (PRAGMA temp_store). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "cleanup.h"

struct rule_helpers;
struct rules;
struct store;

/* They begin at once; until they are freed, the recording must not change. `only` as in struct findings_options. Where there is one CPU
 * alone, or processes are refused, there are none: then all rules are asked here. */
struct rule_helpers *rule_helpers_new(struct store *s, const struct rules *rules, const char *const *only, bool alone);
void rule_helpers_free(struct rule_helpers *h);

/* Asks what nobody has asked yet, and waits for the others. The answer to each rule by its index, empty for those that are not
 * wanted; they live as long as `h`. */
const struct buf *rule_helpers_answers(struct rule_helpers *h);

DEFINE_CLEANUP(struct rule_helpers *, rule_helpers_free)
