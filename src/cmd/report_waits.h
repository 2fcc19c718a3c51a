/* SPDX-License-Identifier: BSD-2-Clause */
/* Waits explained, in the report's formats. */
#pragma once
#include <jansson.h>

#include "buf.h"
#include "explained.h"
#include "report_print.h"

/* Two tables: whose waits come from what in the end, and who holds others up. */
void waits_text(const struct explained *e, const struct report_style *style, struct buf *out);
json_t *waits_json(const struct explained *e, size_t limit); /* "waits" in docs/recording.md */
json_t *knots_json(const struct explained *e, size_t limit);
