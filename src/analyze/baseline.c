// SPDX-License-Identifier: BSD-2-Clause
/* Findings beside those of good times. */
#include <stdlib.h>
#include <string.h>

#include "findings_internal.h"

/* Impacts vary from one look to the next: what is unusual has grown by half, and by a hundredth of the work's time. */
static const double unusual_factor = 1.5, unusual_least = 0.01;

static const char *first_culprit(const struct finding *f)
{
	return f->affected_count ? f->affected[0].comm : "";
}

/* Numbers of processes have changed since; what they are called has not. */
static double usual_impact(const struct findings *usual, const struct finding *f)
{
	double impact = 0;

	for (size_t i = 0; i < usual->count; i++) {
		const struct finding *u = &usual->items[i];

		if (!strcmp(u->id, f->id) && !strcmp(first_culprit(u), first_culprit(f)) && u->impact > impact)
			impact = u->impact;
	}
	return impact;
}

static int by_importance_now(const void *a, const void *b)
{
	return by_importance(a, b);
}

void findings_weigh(struct findings *f, const struct findings *usual)
{
	for (size_t i = 0; i < f->count; i++) {
		struct finding *finding = &f->items[i];
		double before = usual_impact(usual, finding);

		add_evidence(f, finding, &(struct finding_evidence){
			.metric = "impact in the baseline", .value = 100 * before, .unit = "%"});
		if (finding->harms && finding->severity < SEVERITY_WARNING &&
		    finding->impact >= unusual_factor * before + unusual_least)
			finding->severity = SEVERITY_WARNING;
	}
	if (f->count)
		qsort(f->items, f->count, sizeof(*f->items), by_importance_now);
}
