/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that /proc and /sys tell, as gauges. A counter's growth is written when it is not 0, so that its sum
 * over the slices is exact; a level is written when it is new, has changed noticeably, or every half minute:
 * between two rows it is what it was. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "capture.h"

enum { GAUGES_MOST = 40 };

/* A word of a file and the metric (counted from the probe's first) that its number is a part of. */
struct gauge_key {
	const char *name;
	uint8_t metric;
	bool level;
	double factor; /* 0: 1 */
};

/* One reading: a metric may be the sum of several words. */
struct gauge_values {
	double sum[GAUGES_MOST];
	uint64_t present; /* bit set of metrics */
	uint64_t levels;
};

/* What is already in the recording, of the machine (resource 0) or of one resource. */
struct gauge_set {
	uint32_t resource;
	bool ignore;
	uint64_t known;
	double last[GAUGES_MOST];
	uint32_t slice[GAUGES_MOST]; /* in which a level was last written */
	uint64_t time_ns;            /* of the last reading; the probe's to keep */
};

void gauge_take(struct gauge_values *v, const struct gauge_key *keys, const char *name, double value);
void gauge_remember(struct gauge_set *s, const struct gauge_values *v); /* the counters, before the first slice */
void gauge_write(struct capture *c, struct gauge_set *s, uint32_t first_metric, const struct gauge_values *v);

/* The same for single numbers; i counts from the probe's first metric. */
void gauge_level(struct capture *c, struct gauge_set *s, uint32_t first_metric, unsigned i, double value);
double gauge_growth(struct gauge_set *s, unsigned i, double now); /* 0 at the first call and after a reset */

/* "Name: 12 kB" or "name 12" lines, and pairs of lines as in /proc/net/snmp (names become "Tcp.OutRsts"). A file
 * that is not there is none of these. */
void gauge_take_lines(char *text, const struct gauge_key *keys, struct gauge_values *v);
void gauge_read_lines(const struct capture *c, const char *path, const struct gauge_key *keys, struct gauge_values *v);
void gauge_read_pairs(const struct capture *c, const char *path, const struct gauge_key *keys, struct gauge_values *v);

/* The sets of many resources of one kind, by name. */
struct gauge_sets {
	struct intern *names;
	struct gauge_set **items;
	uint32_t count, capacity;
};

/* The set of that name; a new one is told by *ret_new and has no resource yet. NULL when there are too many. */
struct gauge_set *gauge_sets_get(struct gauge_sets *sets, const char *name, bool *ret_new);
void gauge_sets_done(struct gauge_sets *sets);
