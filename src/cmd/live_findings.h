/* SPDX-License-Identifier: BSD-2-Clause */
/* What the rules say of the last half minute, asked again and again while it is being recorded. A child asks a
 * copy of the store (fork), so that neither recorder nor screen wait for the answer. */
#pragma once
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "ui.h"

struct loop;
struct store;
struct live_findings;

/* `changed` is called from the loop when there are new ones; may be NULL. */
struct live_findings *live_findings_new(struct store *s, struct loop *l, int (*changed)(void *arg), void *arg);
void live_findings_free(struct live_findings *f);

/* A slice has been written: asks the rules when it is time. What costs much is asked less often: all of it takes
 * a hundredth of a CPU. */
void live_findings_update(struct live_findings *f, uint64_t recorded_ns);
/* Worst first; valid until the loop runs on. Returns how many. */
size_t live_findings_get(const struct live_findings *f, struct ui_finding *findings, size_t most);
json_t *live_findings_json(const struct live_findings *f); /* an array, the caller's reference */

DEFINE_CLEANUP(struct live_findings *, live_findings_free)
