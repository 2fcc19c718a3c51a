/* SPDX-License-Identifier: BSD-2-Clause */
/* What the live screen asks beside findings: the saturation table, a function's instructions, and to save what it
 * shows. Answers are asked for in the background and kept; NULL before the first one. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

struct live_answers;
struct loop;
struct store;
struct ui_save;

struct live_answers_events {
	int (*changed)(void *arg);                 /* there is a new answer */
	int (*saved)(void *arg, const char *text); /* what came of it */
	void *arg;
};

struct live_answers *live_answers_new(struct store *s, struct loop *l, const struct live_answers_events *e);
void live_answers_free(struct live_answers *a);

enum live_asking { LIVE_ASK_LATER, LIVE_ASK_SOMETIMES, LIVE_ASK_NOW };

/* Sometimes: as often as a hundredth of a CPU allows. */
const json_t *live_answers_resources(struct live_answers *a, uint64_t from_ns, uint64_t to_ns, enum live_asking when);
bool live_answers_resources_are_asked(const struct live_answers *a); /* at this moment */
/* Of the last minute before to_ns, or from from_ns on if that is more. */
const json_t *live_answers_annotation(struct live_answers *a, const char *function, const char *module, bool intel,
				      uint64_t from_ns, uint64_t to_ns);
/* False: something is being saved already. */
bool live_answers_save(struct live_answers *a, const struct ui_save *what);

DEFINE_CLEANUP(struct live_answers *, live_answers_free)
