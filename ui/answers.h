/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading what the owner answers (struct ui_options). */
#pragma once
#include <jansson.h>

#include "screen.h"

struct window;

const char *answer_text(const json_t *object, const char *key); /* "" if it is not there */
double answer_number(const json_t *object, const char *key);    /* NAN if it is not there */

/* Findings that were there at the end of the window or shortly before it. */
enum finding_age { FINDING_PAST, FINDING_LASTS, FINDING_RESOLVED, FINDING_FUTURE };
enum finding_age finding_age(const struct screen_context *c, const json_t *finding);
uint64_t finding_since_ns(const struct screen_context *c, const json_t *finding); /* how long it has been there */
enum style finding_style(const struct screen_context *c, const json_t *finding);
const json_t *shown_findings(const struct screen_context *c); /* an array; NULL: nothing is known */
/* The first finding of at least that rank (0 info, 1 warning, 2 critical) that lasts; NULL: there is none. */
const json_t *worst_finding(const struct screen_context *c, int rank);

/* Ids in the store of the process or thread that it blames, 0 if they are not in the window. */
uint32_t finding_process(const struct screen_context *c, const json_t *finding);
