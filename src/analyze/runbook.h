/* SPDX-License-Identifier: BSD-2-Clause */
/* Runbooks: an issue, its likely causes, steps to take, solutions, as YAML (docs/rules.md). Steps are data, no
 * shell command is ever run. */
#pragma once
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct buf;
struct findings;
struct rules;
struct store;

struct runbook_step {
	const char *name, *note, *when; /* NULL if there is none */
	/* One of these: */
	uint64_t collect_ns;
	const char **rules; /* ids, NULL-terminated */
	const char *query;
};

struct runbook_solution {
	const char *when; /* NULL: always */
	const char *text;
};

struct runbook {
	struct arena *strings;
	const char *name, *issue;
	const char **causes;
	size_t cause_count;
	struct runbook_step *steps;
	size_t step_count;
	struct runbook_solution *solutions;
	size_t solution_count;
};

/* A built-in one's name, or a file's path (anything with a slash or a dot). -ENOENT, or -EINVAL with
 * "FILE:LINE:COLUMN: reason". */
int runbook_open(const char *name, const struct rules *rules, struct runbook **ret_runbook);
/* From text; `path` is for messages. Ids must be rules', queries must be SELECTs over a recording. */
int runbook_parse(const char *path, const char *text, size_t length, const struct rules *rules,
		  struct runbook **ret_runbook);
void runbook_free(struct runbook *rb);

const char *runbook_name(size_t index); /* of the built-in ones; NULL past the last */

uint64_t
runbook_collect_ns(const struct runbook *rb); /* how long to look at the machine; 0: not said */

/* Takes the steps: {"name", "issue", "steps": [{"name", "ran", "note", "found" | "columns" and
 * "rows" | "error"}], "solutions": [...]}. */
int runbook_run(const struct runbook *rb, struct store *s, const struct findings *f,
		json_t **ret_result);
/* What runbook_run() returned, for people. */
void runbook_result_text(const json_t *result, struct buf *text);
void runbook_markdown(const struct runbook *rb, struct buf *text);

DEFINE_CLEANUP(struct runbook *, runbook_free)
