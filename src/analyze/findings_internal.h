/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the findings' own files only. */
#pragma once
#include "findings.h"
#include "store_query.h"

enum {
	MOST_FINDINGS = 100,  /* of one rule: the rest is left out, with a message */
	MOST_AFFECTED = 32,
	MOST_EVIDENCE = 32,
	MOST_STACKS = 6,      /* of one finding */
	MOST_STACK_SELECTORS = 4,
};

/* Stacks that a rule asks for: the heaviest of a metric, in a thread or process, through a function; or one that
 * it gives itself. */
struct stack_selector {
	const char *role, *metric, *function; /* function "" for any */
	int64_t process, task;                /* ids in the recording; 0 any */
	const char **frames;                  /* root first; NULL: it is asked for */
	size_t depth;
	double weight_ms;                     /* of the given one */
};

struct draft {
	struct finding finding;
	struct stack_selector selectors[MOST_STACK_SELECTORS];
	size_t selector_count;
	bool folded;
	bool waits; /* it says that somebody waits: whoever is waited for may explain it */
};

struct drafts {
	struct findings *findings;
	struct draft *items;
	size_t count, capacity;
};

char *findings_copy(struct findings *f, const char *text); /* into f->strings */
void findings_add_error(struct findings *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* rule_query.c: what a rule answered; a broken one becomes an error of d->findings. */
struct rule_answer;
int rule_query(const struct rule *rule, const struct rule_answer *answer, struct drafts *d);
/* fold.c: marks what another finding explains, and adds it there as evidence. */
void fold(struct drafts *d);
void explain(struct findings *f, struct draft *cause, struct draft *symptom);
void add_evidence(struct findings *f, struct finding *finding,
		  const struct finding_evidence *evidence);
int by_importance(const struct finding *f, const struct finding *g); /* as qsort() wants it */
/* fold_chain.c: the same along the wait-for graph. */
int fold_chains(struct store *s, const struct explained *known, struct drafts *d);
/* ruled_out.c: healthy resources become evidence of what is left. */
int rule_out(struct store *s, const struct saturation *known, struct drafts *d);
/* finding_stack.c */
struct stack_view;
int find_stacks(struct store *s, struct stack_view *view, struct findings *f, struct draft *draft);
