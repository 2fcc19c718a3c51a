/* SPDX-License-Identifier: BSD-2-Clause */
/* Runbooks: an issue, its likely causes, steps to take, solutions, as YAML (docs/rules.md). Steps are data; one that
 * runs a command is taken only where that is allowed. */
#pragma once
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct buf;
struct findings;
struct rules;
struct store;

enum runbook_action {
	RUNBOOK_COLLECT,    /* look at the machine; again, if it is not the first step */
	RUNBOOK_WAIT,
	RUNBOOK_RULES,      /* what these rules have found */
	RUNBOOK_QUERY,
	RUNBOOK_THREADS,    /* who waits for whom in the culprit, now */
	RUNBOOK_FLAMEGRAPH, /* of the culprit */
	RUNBOOK_EXEC,
	RUNBOOK_ACTIONS
};

struct runbook_step {
	const char *name, *note, *when; /* NULL if there is none */
	enum runbook_action action;
	uint64_t ns;        /* of collect and wait */
	const char **rules; /* ids, NULL-terminated */
	const char *text;   /* the query, the kind of flame graph, the command */
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

/* What steps need beyond a recording. A NULL function: such steps are not taken. Each appends what it brought to light, or
 * returns a negative errno with a message; after -EINTR no step is taken any more. */
struct runbook_actions {
	void *arg;
	/* Looks again, for so long. What is asked from here on; it belongs to the callee. */
	int (*collect)(void *arg, uint64_t ns, struct store **ret_store, const struct findings **ret_findings);
	int (*wait)(void *arg, uint64_t ns);
	int (*threads)(void *arg, uint32_t pid, struct buf *text);
	int (*flamegraph)(void *arg, const char *kind, uint32_t pid, struct buf *text);
	int (*execute)(void *arg, const char *command, struct buf *text);
};

/* Takes the steps: {"name", "issue", "steps": [{"name", "ran", "why_not", "note", "found" | "columns" and
 * "rows" | "output" | "error"}], "solutions": [...]}. */
int runbook_run(const struct runbook *rb, struct store *s, const struct findings *f, const struct runbook_actions *actions,
		json_t **ret_result);
/* What runbook_run() returned, for people. */
void runbook_result_text(const json_t *result, struct buf *text);
void runbook_markdown(const struct runbook *rb, struct buf *text);

DEFINE_CLEANUP(struct runbook *, runbook_free)
