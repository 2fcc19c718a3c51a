/* SPDX-License-Identifier: BSD-2-Clause */
/* One screen of top for programs: perfscope.top/1, docs/top.md. */
#pragma once
#include <stdbool.h>

#include <jansson.h>

#include "buf.h"

struct store;
struct window;

/* Appends one object on one line; takes the findings. */
void top_json(struct store *s, const struct window *w, bool threads, json_t *findings, struct buf *text);
