// SPDX-License-Identifier: BSD-2-Clause
/* Causes swallow those who wait for them, along the wait-for graph and across processes: a client that waits for a server
 * that waits for a disk. No table of ids is needed: who waits for whom is measured. */
#include <string.h>

#include "explained.h"
#include "findings_internal.h"

/* Of the symptom's time: what most of its waiting comes from. */
#define MOST_OF_IT 0.5

static uint32_t first_culprit(const struct draft *d)
{
	const struct finding *f = &d->finding;

	return f->affected_count && !strcmp(f->affected[0].role, "culprit") ? f->affected[0].pid : 0;
}

static bool stands_behind(const struct explained *e, const struct draft *symptom, const struct draft *cause)
{
	uint32_t waiter = first_culprit(symptom), other = first_culprit(cause);

	if (symptom == cause || symptom->folded || cause->folded || !symptom->waits ||
	    cause->finding.severity < SEVERITY_WARNING || !waiter || !other || waiter == other)
		return false;
	double share = explained_share(e, waiter, other);
	return share >= MOST_OF_IT && share > explained_share(e, other, waiter);
}

/* The cause that stands behind no other: the end of the line. */
static struct draft *cause_of(const struct explained *e, struct drafts *d, const struct draft *symptom)
{
	struct draft *cause = NULL;

	for (size_t i = 0; i < d->count; i++) {
		struct draft *candidate = &d->items[i];

		if (stands_behind(e, symptom, candidate) && (!cause || stands_behind(e, cause, candidate)))
			cause = candidate;
	}
	return cause;
}

static void add_victim(struct findings *f, struct finding *cause, const struct finding *symptom)
{
	if (cause->affected_count == MOST_AFFECTED)
		return;
	for (size_t i = 0; i < cause->affected_count; i++)
		if (cause->affected[i].pid == symptom->affected[0].pid)
			return;
	cause->affected[cause->affected_count] = symptom->affected[0];
	cause->affected[cause->affected_count++].role = findings_copy(f, "victim");
}

static bool worth_a_look(const struct drafts *d)
{
	size_t left = 0, waiting = 0;

	for (size_t i = 0; i < d->count; i++) {
		left += !d->items[i].folded;
		waiting += !d->items[i].folded && d->items[i].waits;
	}
	return left > 1 && waiting;
}

int fold_chains(struct store *s, const struct explained *known, struct drafts *d)
{
	_cleanup_(explained_freep) struct explained *e = NULL;
	int r;

	if (!worth_a_look(d))
		return 0;
	if (!known && (r = explained_new(s, &e)) < 0)
		return r;
	for (size_t i = 0; i < d->count; i++) {
		struct draft *symptom = &d->items[i], *cause = cause_of(known ? known : e, d, symptom);

		if (!cause)
			continue;
		explain(d->findings, cause, symptom);
		add_victim(d->findings, &cause->finding, &symptom->finding);
	}
	return 0;
}
