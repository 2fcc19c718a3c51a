// SPDX-License-Identifier: BSD-2-Clause
/* What a finding is not: resources that are healthy are evidence, too. */
#include <string.h>

#include "findings_internal.h"
#include "mem.h"
#include "saturation.h"
#include "text.h"

/* A kind of resource, and the findings that it may be the cause of: with one of these it is not ruled out. */
static const struct suspect {
	const char *kind, *findings, *metric;
} suspects[] = {
	{"CPU", "cpu.", "ruled out: CPU, used"},
	{"memory", "memory.", "ruled out: memory, used"},
	{"disk", "disk.", "ruled out: disks, used (the busiest)"},
	{"interface", "net.", "ruled out: network interfaces, used (the busiest)"},
};

static bool is_found(const struct drafts *d, const char *findings)
{
	for (size_t i = 0; i < d->count; i++)
		if (starts_with(d->items[i].finding.id, findings) &&
		    d->items[i].finding.severity >= SEVERITY_WARNING)
			return true;
	return false;
}

/* The highest utilisation of its kind; false when none is known, or one is not healthy. */
static bool is_healthy(const struct saturation *t, const char *kind, double *ret_used)
{
	bool known = false;

	*ret_used = 0;
	for (size_t i = 0; i < t->count; i++) {
		const struct saturation_row *row = &t->rows[i];

		if (strcmp(row->kind, kind) || !row->utilisation.known)
			continue;
		if (saturation_is_high(row) || (row->errors.known && row->errors.value > 0))
			return false;
		known = true;
		*ret_used = row->utilisation.value > *ret_used ? row->utilisation.value : *ret_used;
	}
	return known;
}

static void add_to_all(struct drafts *d, const char *metric, double used)
{
	for (size_t i = 0; i < d->count; i++) {
		struct draft *draft = &d->items[i];

		if (!draft->folded && draft->finding.severity >= SEVERITY_WARNING)
			add_evidence(d->findings, &draft->finding,
				     &(struct finding_evidence){.metric = findings_copy(d->findings, metric), .value = used,
								.unit = "%", .threshold = SATURATION_HIGH, .has_threshold = true});
	}
}

int rule_out(struct store *s, const struct saturation *known, struct drafts *d)
{
	_cleanup_(saturation_freep) struct saturation *own = NULL;
	const struct saturation *t = known;
	double used;
	int r;

	if (!is_found(d, ""))
		return 0;
	if (!t && (r = saturation_new(s, &own)) < 0)
		return r;
	t = t ? t : own;
	for (size_t i = 0; i < ARRAY_SIZE(suspects); i++)
		if (!is_found(d, suspects[i].findings) && is_healthy(t, suspects[i].kind, &used))
			add_to_all(d, suspects[i].metric, used);
	return 0;
}
