/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the store's own files only. */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "store.h"

enum { STORE_STATEMENTS = 26 };

struct journal_writes;
struct pruned;
struct redact;
struct rows_table;
struct stack_view;
struct totals;

struct store {
	sqlite3 *db;
	char *path;
	bool writable;
	bool selected;                          /* temporary views hide the tables */
	bool foreign_views;                     /* the file's are of another version: ours are temporary ones, always */
	struct totals *totals;                  /* NULL: none are kept; see totals.c */
	struct stack_view *stacks;              /* see stack_view_kept(); NULL: nobody has asked */
	uint32_t newest_slice;                  /* that rows were written of; 0: none were */
	bool committed;                         /* some of them */
	bool aside;                             /* the older recording of its name is PATH.old now */
	struct journal_writes *journal;         /* of a recording that is being written; else NULL */
	int lock;                               /* of the file that was created, for others that would; -1: none */
	bool unordered;                         /* they did not come slice by slice */
	struct pruned *pruned;                  /* NULL: nothing was; see store_prune.c */
	struct redact *redact;                  /* NULL: texts are written as they are */
	int error;                              /* first error of store_add_*(), told by store_commit() */
	sqlite3_stmt *insert[STORE_STATEMENTS]; /* prepared at first use, see store_write.c */
};

struct query {
	struct store *store;
	sqlite3_stmt *statement;
	bool guarded; /* the connection's time limit is this query's */
	uint64_t deadline_ns;
};

extern const char store_schema_sql[], store_views_sql[];

int store_error(const struct store *s, const char *doing); /* sqlite's last error as errno + message */
int store_execute(struct store *s, const char *sql);
void store_add_views(struct buf *sql); /* as temporary ones */
int store_drop_temporary(struct store *s, const char *which);
void store_free_pruned(struct store *s);
void store_keep_new(struct store *s); /* it has something: what it has put aside stays aside */
/* Another connection to the same recording, for another thread; NULL: none that surely sees the same. */
struct store *store_open_beside(struct store *s);
const struct rows_table *store_kept_stacks(const struct store *s); /* NULL: they are not kept */
void store_free_totals(struct store *s); /* once nothing in SQL reads them */

/* Sums of foreign numbers must not overflow. */
static inline void store_add_to(int64_t *sum, int64_t value)
{
	if (__builtin_add_overflow(*sum, value, sum))
		*sum = value < 0 ? INT64_MIN : INT64_MAX;
}

/* The rows that the view task_time adds up: those of spans, and all. */
#define STORE_TIME_SPANS                                                                        \
	"SELECT s.task, s.metric, l.end_ns - f.start_ns, 0 FROM span s"                         \
	" JOIN period p ON s.first <= p.last AND ifnull(s.last, p.last) >= p.first"             \
	" JOIN slice f ON f.id = max(s.first, p.first)"                                         \
	" JOIN slice l ON l.id = min(ifnull(s.last, p.last), p.last)"                           \
	" WHERE s.metric IN (SELECT metric FROM time_metric)"
#define STORE_TIME_PARTS                                                                        \
	"SELECT task, metric, value AS ns, count FROM sample"                                   \
	" WHERE metric IN (SELECT metric FROM time_metric) UNION ALL " STORE_TIME_SPANS
