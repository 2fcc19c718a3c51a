/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules: SQL files whose comments carry the words (docs/rules.md). Those of the program are embedded; users
 * have folders of their own. A broken rule is one message and does not stop the others. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "cleanup.h"

struct rule_threshold {
	const char *name;
	double value; /* what the rule says, or the user */
	bool set;     /* by the user */
	const char *reason;
};

struct rule {
	const char *id;   /* the file's name without .sql */
	const char *path; /* as messages name it */
	bool builtin;
	const char *title;   /* what the rule finds */
	const char *summary; /* a finding's title, with {column} */
	const char *explain; /* "" if it has none */
	const char *runbook; /* NULL: none */
	const char *kind;    /* "wait": what it finds is a wait, which whoever is waited for explains; NULL */
	const char **actions;
	size_t action_count;
	struct rule_threshold *thresholds;
	size_t threshold_count;
	const char *sql;
};

struct rules;

/* The built-in ones, then each folder's (NULL-terminated list, may be NULL; a missing folder is empty). The
 * same id again replaces the rule. Never fails as a whole: see rules_error(). */
struct rules *rules_new(const char *const *folders);
void rules_free(struct rules *rules);

size_t rules_count(const struct rules *rules);
const struct rule *rules_get(const struct rules *rules, size_t index); /* ordered by id */
const struct rule *rules_find(const struct rules *rules, const char *id); /* NULL: there is none */
const char *rules_error(const struct rules *rules,
			size_t index); /* "FILE:LINE: reason"; NULL past the last */

/* One rule from its text. A broken one is kept as an error. */
void rules_add(struct rules *rules, const char *path, const char *text, bool builtin);
/* "ID.NAME=VALUE": -EINVAL with a message. */
int rules_set_threshold(struct rules *rules, const char *setting);
/* A service level objective, "port=8080 p99<20ms"; all of them are JSON (objective.h). -EINVAL with a message. */
int rules_add_objective(struct rules *rules, const char *text);
const char *rules_objectives(const struct rules *rules);

DEFINE_CLEANUP(struct rules *, rules_free)
