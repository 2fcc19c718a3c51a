/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with the machine: rules asked about a recording (or a part of it, store_select()), causes with
 * their symptoms folded in, most important first. Texts hold names of other processes: escape them
 * where they are shown. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct arena;
struct rule;
struct rules;
struct store;

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL, SEVERITIES };
const char *severity_name(enum severity severity);

struct finding_task {
	const char *role; /* culprit, victim */
	uint32_t pid, tid; /* tid 0: the whole process */
	const char *comm, *cgroup;
};

struct finding_evidence {
	const char *metric;
	double value;
	const char *unit;
	double threshold;
	bool has_threshold;
};

struct finding_stack {
	const char *role; /* hot, culprit, victim, waiter, holder, waker */
	double weight_ms, weight_bytes; /* time, or memory; the other is 0 */
	const char **frames; /* from the root to the leaf */
	size_t depth;
};

struct finding {
	const char *id;
	enum severity severity;
	bool harms;    /* somebody waits for what is affected, or it fails */
	double impact; /* 0..1: share of the affected work's time that is lost to this */
	const char *title;
	struct finding_task *affected; /* culprits first */
	size_t affected_count;
	const char *resource_kind, *resource_name; /* "" if there is none */
	struct finding_evidence *evidence;
	size_t evidence_count;
	struct finding_stack *stacks;
	size_t stack_count;
	const char **actions;
	size_t action_count;
	const char *runbook; /* NULL: none */
};

struct findings {
	struct arena *strings; /* all that the structs point to */
	struct finding *items; /* most important first */
	size_t count, capacity;
	const char **errors; /* rules that could not be asked: "FILE:LINE: reason" */
	size_t error_count, error_capacity;
};

struct saturation;
struct explained;
struct rule_helpers;

struct findings_options {
	const char *const *only; /* ids, NULL-terminated; NULL: all */
	uint32_t pid;            /* only findings that touch this process or its descendants */
	const char *cgroup;      /* or this control group and those below */
	/* What is known of the same part of the recording already; NULL: asked for when it is needed. */
	const struct saturation *saturation;
	const struct explained *explained;
	/* Rules are asked on all CPUs: by processes that are started now, or were before (rule_helpers.h), with the same rules. */
	bool helped;
	struct rule_helpers *helpers;
};

/* An error only when the recording cannot be read; a rule that cannot be asked is in `errors`. */
int findings_new(struct store *s, const struct rules *rules, const struct findings_options *options,
		 struct findings **ret_findings);
void findings_free(struct findings *f);

/* Beside findings of good times: each says what its impact was then, and what harms and has become unusual is a warning
 * at least, also when it is too small for one by itself. */
void findings_weigh(struct findings *f, const struct findings *usual);

enum severity findings_worst(const struct findings *f); /* SEVERITY_INFO also when there are none */

/* The array under "findings", in valid UTF-8. */
json_t *findings_json(const struct findings *f);
/* The whole object, perfscope.findings/1, with host, period, overhead, and what was unavailable. */
json_t *findings_document(const struct findings *f, struct store *s);

DEFINE_CLEANUP(struct findings *, findings_free)
