/* SPDX-License-Identifier: BSD-2-Clause */
/* What every command that reads a recording does first. */
#pragma once
#include "buf.h"
#include "select.h"
#include "store.h"

#define DEFAULT_RECORDING "perfscope.db"

/* Opens it, read-only, narrowed to what was asked for; times count from this recording's start. */
int recording_open(const char *path, const struct select_options *select, struct store **ret_store);

/* Narrows it anew. */
int recording_select(struct store *s, const struct select_options *select);

/* The operand, or perfscope.db. */
const char *recording_path(const struct call *call);

/* "host vm, 2026-01-01T00:00:00Z, 10.0 s" and what narrows it: ", pid 42". For people, not escaped. */
void recording_describe(struct store *s, const struct select_options *select, struct buf *text);
