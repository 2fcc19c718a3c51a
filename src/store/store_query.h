/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking a recording. SQL from above this floor names only the documented tables and views. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

/* The part that is looked at: every later query sees only this. Zero means no limit. */
struct selection {
	uint64_t from_ns, to_ns; /* since the recording's start; whole slices that touch it */
	uint32_t pid;            /* with all its descendants */
	const char *cgroup;      /* this path and all below it */
};

/* -ENOENT with a message when nothing is there that fits. May be called again. */
int store_select(struct store *s, const struct selection *selection);

/* Many questions about the same moment: what the views sample_total, histogram_total, edge_total, task_time, thread_time,
 * process_time, frame_name and some more say is kept until it is dropped, as is needed before the recording or the selection changes (which drops
 * it, too). 1: kept now, 0: it was kept already. */
int store_keep_totals(struct store *s);
/* What stack_speaker says, too: it is dear, and few ask for it. Only while those are kept. */
int store_keep_speakers(struct store *s);
int store_drop_totals(struct store *s);

struct query;

int query_new(struct store *s, const char *sql, struct query **ret_query);
void query_free(struct query *q);
/* Parameters by name (":name"); names the statement does not have are ignored. */
void query_bind_int(struct query *q, const char *name, int64_t value);
void query_bind_real(struct query *q, const char *name, double value);
void query_bind_text(struct query *q, const char *name, const char *value); /* copied */
int query_next(struct query *q); /* 1: a row, 0: the end, negative: an error */
void query_reset(struct query *q); /* to run again with other parameters */

int64_t query_int(struct query *q, int column);      /* 0 for NULL */
double query_real(struct query *q, int column);      /* 0 for NULL */
const char *query_text(struct query *q, int column); /* "" for NULL; valid until query_next() */
const void *query_blob(struct query *q, int column, size_t *ret_len); /* NULL, 0 for NULL; likewise */
bool query_is_null(struct query *q, int column);
enum query_type { QUERY_NULL, QUERY_INTEGER, QUERY_REAL, QUERY_TEXT };
enum query_type query_type(struct query *q, int column); /* before the value is asked for */
int query_columns(struct query *q);
const char *query_column_name(struct query *q, int column);

/* One value of a statement without parameters; `otherwise` when there is no row. */
int query_one_int(struct store *s, const char *sql, int64_t otherwise, int64_t *ret_value);

/* A meta value; "" or 0 when it is not there. */
const char *store_meta_text(struct store *s, const char *key, char *text, size_t size);
int64_t store_meta_int(struct store *s, const char *key);

/* The processes that the selection names by pid or cgroup, whether it is in force or not: id, pid. */
int store_fail_selection(const struct store *s, const struct selection *selection); /* -ENOENT: there are none */
int store_selected_processes(struct store *s, const struct selection *selection, struct query **ret_query);

DEFINE_CLEANUP(struct query *, query_free)
