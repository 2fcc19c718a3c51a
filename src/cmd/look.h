/* SPDX-License-Identifier: BSD-2-Clause */
/* What diagnose looks at: a recording, or this machine now, and once more when a runbook asks for it. */
#pragma once
#include <stdint.h>

#include "findings.h"
#include "runbook.h"
#include "select.h"

struct incident;
struct look;

struct look_options {
	const struct rules *rules;
	const struct select_options *select;
	const struct incident *incident; /* keeps what is seen; NULL: nothing is kept */
	bool allow_exec;
	double most_overhead; /* percent of all CPUs, of a look at this machine */
};

/* The options must outlive the look. */
int look_at_recording(const char *path, const struct look_options *options, struct look **ret_look);
int look_at_machine(uint64_t duration_ns, const struct look_options *options, struct look **ret_look);
void look_free(struct look *l);

/* Of the last look. */
struct store *look_store(const struct look *l);
struct findings *look_findings(const struct look *l);

/* What a runbook's steps can do in this look. */
struct runbook_actions look_actions(struct look *l);

DEFINE_CLEANUP(struct look *, look_free)
