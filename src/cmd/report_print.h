/* SPDX-License-Identifier: BSD-2-Clause */
/* The report in its formats. */
#pragma once
#include "buf.h"
#include "explained.h"
#include "findings.h"
#include "report.h"
#include "saturation.h"

struct report_style {
	unsigned width;
	bool wraps; /* sentences, too; not in a pipe, where programs look for them */
	bool colour;
	size_t limit; /* rows of each list */
};

enum { LEAST_REST = 16 }; /* columns for what a row ends with */

void report_heading(struct buf *out, const struct report_style *style, const char *text);
void report_rest(struct buf *out, size_t shown, size_t all); /* that there are more rows */

/* What the report is made of. */
struct report_parts {
	const struct report *report;
	const struct findings *findings;
	const struct saturation *saturation;
	const struct explained *explained;
};

void report_text(const struct report_parts *parts, const struct report_style *style, struct buf *out);
/* perfscope.report/1, docs/recording.md */
void report_json(const struct report_parts *parts, size_t limit, struct buf *out);
