/* SPDX-License-Identifier: BSD-2-Clause */
/* What the rules say of the last half minute, asked again and again while it is being recorded, and what they said
 * before. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct loop;
struct store;
struct live_findings;

/* `changed` is called from the loop when there are new ones; may be NULL. */
struct live_findings *live_findings_new(struct store *s, struct loop *l, int (*changed)(void *arg), void *arg);
void live_findings_free(struct live_findings *f);

/* A slice has been written: asks the rules when it is time. What costs much is asked less often: all of it takes
 * at most three hundredths of a CPU. */
void live_findings_update(struct live_findings *f, uint64_t recorded_ns);
bool live_findings_are_asked(const struct live_findings *f); /* at this moment */
json_t *live_findings_json(const struct live_findings *f); /* the last answer: an array, the caller's reference */
/* The last ten minutes' as struct ui_options wants them; NULL before the first answer. Borrowed, until the loop runs on. */
const json_t *live_findings_history(const struct live_findings *f);

DEFINE_CLEANUP(struct live_findings *, live_findings_free)
