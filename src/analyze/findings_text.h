/* SPDX-License-Identifier: BSD-2-Clause */
/* Findings for people. */
#pragma once
#include "findings.h"

struct buf;

struct findings_style {
	unsigned width; /* of the terminal */
	bool colour;
};

/* One line: the worst finding, or that nothing is wrong. */
void findings_verdict(const struct findings *f, const struct findings_style *style,
		      struct buf *text);
/* Each finding: what, who, evidence, where, what to do. Nothing when there are none. */
void findings_text(const struct findings *f, const struct findings_style *style, struct buf *text);
