/* SPDX-License-Identifier: BSD-2-Clause */
/* A recording: one SQLite database (docs/recording.md). This header opens, creates and finishes
 * one; store_write.h fills it, store_query.h asks it. Errors are negative errno with fail_message()
 * naming the file and the reason. */
#pragma once
#include <stdbool.h>

#include "cleanup.h"

#define STORE_SCHEMA_VERSION 1

struct store;

/* A new recording, mode 0600. An older recording of that name, unless it has no slice, is kept as PATH.old, in place of the one
 * before it, which is PATH.older until the new one has a slice; any other file of either name is refused with -EEXIST.
 * ":memory:" makes one that lives in this process only. */
int store_create(const char *path, struct store **ret_store);
/* As ":memory:", for a process whose children ask copies of it: the pages that they read stay shared, because SQLite's notes about
 * pages lie elsewhere. */
int store_create_for_forks(struct store **ret_store);

bool store_has_slices(const struct store *s); /* that were written by us, and will be there after a crash */
/* A recording that did not come about is removed, and the older ones have their names again. Frees it. */
void store_withdraw(struct store *s);

/* An existing recording, which may be somebody else's or still being written: read-only, and refused
 * (-EBADMSG) unless its schema is exactly ours. What is written after this is not seen. */
int store_open(const char *path, struct store **ret_store);

/* Ends a recording that was created: everything in the one file, marked complete. */
int store_finish(struct store *s);

/* What has been recorded so far, as a finished recording of its own, mode 0600; nothing is written over. What of the
 * open slice has been written is given up, so that only a copy of a process may do this. */
int store_save(struct store *s, const char *path);

void store_free(struct store *s); /* NULL is fine; without store_finish() the file reads as unfinished */

const char *store_path(const struct store *s);

DEFINE_CLEANUP(struct store *, store_free)
