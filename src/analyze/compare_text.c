// SPDX-License-Identifier: BSD-2-Clause
/* What a comparison says, for people. */
#include <math.h>
#include <string.h>

#include "buf.h"
#include "compare.h"
#include "escape.h"

static const char *colour_of(const struct compare_change *change)
{
	return change->after < change->before ? "\033[32m" :
	       change->severity == SEVERITY_CRITICAL ? "\033[1;31m" : "\033[33m";
}

static void add_change(struct buf *b, const struct compare_change *change, bool colour)
{
	double difference = change->after - change->before;

	buf_addf(b, "  %s%-10s%s %12.2f %12.2f %+12.2f ", colour ? colour_of(change) : "",
		 difference < 0 ? "better" : severity_name(change->severity), colour ? "\033[0m" : "", change->before,
		 change->after, difference);
	if (change->before > 0)
		buf_addf(b, "%+8.0f %%", 100 * difference / change->before);
	else
		buf_addf(b, "%10s", "new");
	buf_addf(b, " %8.1f  %s ", fabs(change->sigma), compare_kind_name(change->kind));
	escape_terminal(b, change->name, strlen(change->name));
	buf_addf(b, " (%s)\n", change->unit);
}

void compare_text(const struct compare *c, bool colour, struct buf *b)
{
	if (c->regressions)
		buf_addf(b, "WORSE: %zu of %zu quantities got worse by more than the noise\n", c->regressions, c->compared);
	else
		buf_addf(b, "OK: none of %zu quantities got worse by more than the noise\n", c->compared);
	buf_addf(b, "compared over %zu slices before and %zu after\n", c->slices_before, c->slices_after);
	if (!c->count)
		return;
	buf_addf(b, "\n  %-10s %12s %12s %12s %10s %8s\n", "verdict", "before", "after", "change", "", "sigma");
	for (size_t i = 0; i < c->count; i++)
		add_change(b, &c->changes[i], colour);
}
