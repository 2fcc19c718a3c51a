/* SPDX-License-Identifier: BSD-2-Clause */
/* Two recordings of the same work, before and after: what got dearer, and whether that is more than the
 * noise of a slice. Each quantity is a series with one value a slice; the difference of the means is held against
 * the standard error of both (Welch). Names come from other processes: escape them where they are shown. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "findings.h"

enum compare_kind { COMPARE_MACHINE, COMPARE_LATENCY, COMPARE_PROCESS, COMPARE_FUNCTION };

struct compare_change {
	enum compare_kind kind;
	const char *name, *unit;
	double before, after; /* means over the slices */
	double sigma;         /* the difference in standard errors; its sign is that of the change */
	enum severity severity; /* of what got worse; SEVERITY_INFO when it got better */
};

struct compare {
	struct compare_change *changes; /* significant ones: regressions first, by severity and by how much */
	size_t count, regressions;
	size_t slices_before, slices_after;
	size_t compared; /* quantities that were in at least one of them */
	enum severity worst; /* SEVERITY_INFO also when nothing got worse */
	struct arena *arena;
};

/* Fewer slices than this say nothing about noise: then -EINVAL with a message. */
enum { COMPARE_LEAST_SLICES = 3 };

int compare_new(struct store *before, struct store *after, struct compare **ret_compare);
void compare_free(struct compare *c);
const char *compare_kind_name(enum compare_kind kind);

struct buf;
void compare_text(const struct compare *c, bool colour, struct buf *text);
/* perfscope.compare/1, without what identifies the recordings. */
json_t *compare_json(const struct compare *c);

DEFINE_CLEANUP(struct compare *, compare_free)
