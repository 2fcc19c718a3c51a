/* SPDX-License-Identifier: BSD-2-Clause */
/* A view of the report: its tables, as text or as JSON (perfscope.view/1, docs/recording.md). */
#pragma once
#include "report_print.h"

struct store;

/* -EINVAL with a message that tells the names when there is no such view. */
int report_view_text(struct store *s, const char *view, const struct report_style *style, struct buf *out);
int report_view_json(struct store *s, const char *view, size_t limit, struct buf *out);
