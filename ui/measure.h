/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of resources: which metric a column shows, and how it is added up. The rest is the same for disks, interfaces,
 * connections and all that comes after them. */
#pragma once
#include "screen.h"
#include "table.h"

enum how {
	MEAN,          /* of a gauge over time */
	RATE,          /* a gauge's amounts, a second */
	SUM,           /* a gauge's amounts */
	LAST,          /* a gauge's last value */
	QUANTILE,      /* of a histogram: `share` of it is below */
	VALUE_RATE,    /* samples' values, a second */
	COUNT_RATE,    /* samples' counts, a second */
	VALUE_SUM,     /* samples' values */
	VALUE_PERCENT, /* samples' times, in percent of the window */
	VALUE_MEAN,    /* samples' values by their count */
};

/* Number i of a record is what measure i says. */
struct measure {
	const char *metric; /* a name; NULL behind the last */
	enum how how;
	double share;
};

/* A record for each resource of that kind (NULL: of any) of which something is known in the window; text 0 is its name. */
void measure_resources(const struct screen_context *c, struct table *t, const char *kind, const struct measure *measures);
/* One for each process and resource with samples, or (kind "") each process: text 0 is the resource's name, 1 the
 * process's, 2 its number. */
void measure_processes(const struct screen_context *c, struct table *t, const char *kind, const struct measure *measures);
