// SPDX-License-Identifier: BSD-2-Clause
#include "store_guard.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "mem.h"
#include "store_internal.h"

/* Virtual machine steps between two looks at the clock: about a tenth of a millisecond. */
#define STEPS 10000

static int allow(void *arg, int action, const char *first, const char *second, const char *database,
		 const char *inside)
{
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return second && !strcmp(second, "load_extension") ? SQLITE_DENY : SQLITE_OK;
	default:
		return SQLITE_DENY;
	}
}

/* A temporary table, made by a statement of our own whose SELECT is somebody else's. */
static int allow_keeping(void *arg, int action, const char *first, const char *second, const char *database,
			 const char *inside)
{
	switch (action) {
	case SQLITE_CREATE_TEMP_TABLE:
		return SQLITE_OK;
	case SQLITE_INSERT:
	case SQLITE_UPDATE:
		return database && !strcmp(database, "temp") ? SQLITE_OK : SQLITE_DENY;
	default:
		return allow(arg, action, first, second, database, inside);
	}
}

static int time_is_up(void *arg)
{
	return clock_mono_ns() > ((struct query *)arg)->deadline_ns;
}

/* Blanks and comments may follow the statement. */
static bool is_end(struct store *s, const char *rest)
{
	sqlite3_stmt *more = NULL;
	bool end = sqlite3_prepare_v2(s->db, rest, -1, &more, NULL) == SQLITE_OK && !more;

	sqlite3_finalize(more);
	return end;
}

static int prepare(struct store *s, const char *sql, struct query **ret_query, int *ret_offset)
{
	sqlite3_stmt *statement = NULL;
	const char *rest;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, &rest) != SQLITE_OK) {
		int code = sqlite3_errcode(s->db);

		*ret_offset = sqlite3_error_offset(s->db);
		return failx(code == SQLITE_AUTH ? -EACCES : -EINVAL, "%s", sqlite3_errmsg(s->db));
	}
	if (!statement)
		return failx(-EINVAL, "there is no statement in it");
	*ret_query = xcalloc(1, sizeof(**ret_query));
	**ret_query = (struct query){.store = s, .statement = statement, .guarded = true};
	if (!is_end(s, rest)) {
		*ret_offset = (int)(rest - sql);
		return failx(-EINVAL, "more than one statement");
	}
	return 0;
}

typedef int authorizer(void *, int, const char *, const char *, const char *, const char *);

static int new_guarded(struct store *s, const char *sql, authorizer *guard, uint64_t most_ns, struct query **ret_query,
		       int *ret_offset)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r;

	*ret_offset = -1;
	/* Table-valued functions are made at their first use, which the guard would not allow. */
	sqlite3_exec(s->db, "SELECT 1 FROM json_each('[]'), json_tree('[]')", NULL, NULL, NULL);
	sqlite3_set_authorizer(s->db, guard, NULL);
	r = prepare(s, sql, &q, ret_offset);
	sqlite3_set_authorizer(s->db, NULL, NULL);
	if (r < 0)
		return r;
	q->deadline_ns = clock_mono_ns() + most_ns;
	sqlite3_progress_handler(s->db, STEPS, time_is_up, q);
	*ret_query = q;
	q = NULL;
	return 0;
}

int query_new_guarded(struct store *s, const char *sql, uint64_t most_ns, struct query **ret_query,
		      int *ret_offset)
{
	return new_guarded(s, sql, allow, most_ns, ret_query, ret_offset);
}

int query_keep_guarded(struct store *s, const char *table, const char *sql, uint64_t most_ns, struct query **ret_query)
{
	_cleanup_free_ char *create = xasprintf("CREATE TEMP TABLE %s AS %s", table, sql);
	int offset;

	return new_guarded(s, create, allow_keeping, most_ns, ret_query, &offset);
}

void query_drop_kept(struct store *s, const char *table)
{
	_cleanup_free_ char *sql = xasprintf("DROP TABLE IF EXISTS temp.%s", table);

	sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}
