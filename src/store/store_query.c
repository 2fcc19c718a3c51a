// SPDX-License-Identifier: BSD-2-Clause
#include "store_query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "fail.h"
#include "mem.h"
#include "store_internal.h"

int query_new(struct store *s, const char *sql, struct query **ret_query)
{
	sqlite3_stmt *statement;
	const char *rest;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, &rest) != SQLITE_OK)
		return store_error(s, "query");
	if (!statement)
		return failx(-EINVAL, "%s: query: there is no statement in it", s->path);
	*ret_query = xmalloc(sizeof(**ret_query));
	**ret_query = (struct query){.store = s, .statement = statement};
	return 0;
}

void query_free(struct query *q)
{
	if (!q)
		return;
	if (q->guarded)
		sqlite3_progress_handler(q->store->db, 0, NULL, NULL);
	sqlite3_finalize(q->statement);
	free(q);
}

void query_bind_int(struct query *q, const char *name, int64_t value)
{
	int i = sqlite3_bind_parameter_index(q->statement, name);

	if (i)
		sqlite3_bind_int64(q->statement, i, value);
}

void query_bind_real(struct query *q, const char *name, double value)
{
	int i = sqlite3_bind_parameter_index(q->statement, name);

	if (i)
		sqlite3_bind_double(q->statement, i, value);
}

void query_bind_text(struct query *q, const char *name, const char *value)
{
	int i = sqlite3_bind_parameter_index(q->statement, name);

	if (i)
		sqlite3_bind_text(q->statement, i, value, -1, SQLITE_TRANSIENT);
}

int query_next(struct query *q)
{
	int code = sqlite3_step(q->statement);

	if (code == SQLITE_ROW)
		return 1;
	return code == SQLITE_DONE ? 0 : store_error(q->store, "read");
}

void query_reset(struct query *q)
{
	sqlite3_reset(q->statement);
}

int64_t query_int(struct query *q, int column)
{
	return sqlite3_column_int64(q->statement, column);
}

double query_real(struct query *q, int column)
{
	return sqlite3_column_double(q->statement, column);
}

const char *query_text(struct query *q, int column)
{
	const char *text = (const char *)sqlite3_column_text(q->statement, column);

	return text ? text : "";
}

const void *query_blob(struct query *q, int column, size_t *ret_len)
{
	const void *bytes = sqlite3_column_blob(q->statement, column);

	*ret_len = bytes ? (size_t)sqlite3_column_bytes(q->statement, column) : 0;
	return bytes;
}

bool query_is_null(struct query *q, int column)
{
	return sqlite3_column_type(q->statement, column) == SQLITE_NULL;
}

enum query_type query_type(struct query *q, int column)
{
	switch (sqlite3_column_type(q->statement, column)) {
	case SQLITE_NULL:
		return QUERY_NULL;
	case SQLITE_INTEGER:
		return QUERY_INTEGER;
	case SQLITE_FLOAT:
		return QUERY_REAL;
	}
	return QUERY_TEXT;
}

int query_columns(struct query *q)
{
	return sqlite3_column_count(q->statement);
}

const char *query_column_name(struct query *q, int column)
{
	return sqlite3_column_name(q->statement, column);
}

int query_one_int(struct store *s, const char *sql, int64_t otherwise, int64_t *ret_value)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, sql, &q);

	if (r < 0)
		return r;
	r = query_next(q);
	*ret_value = r > 0 && !query_is_null(q, 0) ? query_int(q, 0) : otherwise;
	return r < 0 ? r : 0;
}

const char *store_meta_text(struct store *s, const char *key, char *text, size_t size)
{
	_cleanup_(query_freep) struct query *q = NULL;

	text[0] = 0;
	if (query_new(s, "SELECT value FROM meta WHERE key = :key", &q) < 0)
		return text;
	query_bind_text(q, ":key", key);
	if (query_next(q) > 0)
		snprintf(text, size, "%s", query_text(q, 0));
	return text;
}

int64_t store_meta_int(struct store *s, const char *key)
{
	_cleanup_(query_freep) struct query *q = NULL;

	if (query_new(s, "SELECT value FROM meta WHERE key = :key", &q) < 0)
		return 0;
	query_bind_text(q, ":key", key);
	return query_next(q) > 0 ? query_int(q, 0) : 0;
}

/* Narrowing works by names: a temporary view hides the table of the same name, and the documented views
 * are made once more over the narrowed tables. */

/* What of temporary things is named by `which`. */
int store_drop_temporary(struct store *s, const char *which)
{
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	_cleanup_(query_freep) struct query *q = NULL;
	_cleanup_free_ char *ask = xasprintf("SELECT type, name FROM temp.sqlite_schema WHERE type IN ('view', 'table') AND %s",
					     which);
	int r = query_new(s, ask, &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		buf_addf(&sql, "DROP %s temp.%s;", query_text(q, 0), query_text(q, 1));
	query_free(q);
	q = NULL;
	if (r < 0 || (r = store_execute(s, sql.data)) < 0)
		return r;
	store_free_totals(s);
	return 0;
}

static int select_slices(struct store *s, const struct selection *sel, int64_t *ret_first, int64_t *ret_last)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT min(id), max(id) FROM main.slice WHERE end_ns > :from AND start_ns < :to", &q);

	if (r < 0)
		return r;
	query_bind_int(q, ":from", (int64_t)sel->from_ns);
	query_bind_int(q, ":to", sel->to_ns ? (int64_t)sel->to_ns : INT64_MAX);
	r = query_next(q);
	if (r < 0)
		return r;
	if (!r || query_is_null(q, 0))
		return failx(-ENOENT, "%s: nothing was recorded in that span of time", s->path);
	*ret_first = query_int(q, 0);
	*ret_last = query_int(q, 1);
	return 0;
}

/* Those that the selection names by pid or cgroup: `each` with what is to be asked of them for %s. */
static int query_selected(struct store *s, const struct selection *sel, const char *each, struct query **ret_query)
{
	_cleanup_free_ char *sql = xasprintf(each, sel->pid ?
		"(WITH RECURSIVE family(id, pid) AS (SELECT id, pid FROM main.process WHERE pid = :pid UNION "
		"SELECT p.id, p.pid FROM main.process p JOIN family f ON p.ppid = f.pid) SELECT id, pid FROM family)" :
		"(SELECT p.id, p.pid FROM main.process p JOIN main.cgroup g ON g.id = p.cgroup "
		"WHERE g.path = :path OR substr(g.path, 1, length(:path) + 1) = :path || '/')");
	_cleanup_free_ char *path = xstrdup(sel->cgroup ? sel->cgroup : "");
	int r = query_new(s, sql, ret_query);

	if (r < 0)
		return r;
	for (size_t len = strlen(path); len && path[len - 1] == '/'; len--)
		path[len - 1] = 0; /* what is left of "/" is in front of every path */
	query_bind_int(*ret_query, ":pid", sel->pid);
	query_bind_text(*ret_query, ":path", path);
	return 0;
}

int store_selected_processes(struct store *s, const struct selection *sel, struct query **ret_query)
{
	return query_selected(s, sel, "SELECT id, pid FROM %s", ret_query);
}

int store_fail_selection(const struct store *s, const struct selection *sel)
{
	if (sel->pid)
		return failx(-ENOENT, "%s: process %u is not in it", s->path, sel->pid);
	return failx(-ENOENT, "%s: no process of cgroup %s is in it", s->path, sel->cgroup);
}

static int select_tasks(struct store *s, const struct selection *sel)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int64_t found;
	int r = query_selected(s, sel, "CREATE TEMP TABLE selected_task AS SELECT t.id FROM main.task t JOIN %s p ON p.id = t.process",
			       &q);

	if (r < 0 || (r = query_next(q)) < 0 || (r = query_one_int(s, "SELECT count(*) FROM selected_task", 0, &found)) < 0)
		return r;
	return found ? 0 : store_fail_selection(s, sel);
}

static void add_table(struct buf *sql, const char *table, const char *condition, int64_t first, int64_t last,
		      bool tasks)
{
	buf_addf(sql, "CREATE TEMP VIEW %s AS SELECT * FROM main.%s WHERE ", table, table);
	buf_addf(sql, condition, (long long)first, (long long)last);
	buf_addf(sql, "%s;", tasks ? " AND task IN (SELECT id FROM temp.selected_task)" : "");
}

/* The first row whose slice is not before that one; rows are in the order of their slices. */
static int find_row(struct store *s, const char *table, int64_t slice, int64_t *ret_row)
{
	_cleanup_(query_freep) struct query *q = NULL;
	_cleanup_free_ char *sql = xasprintf("SELECT slice FROM main.%s WHERE rowid >= :row ORDER BY rowid LIMIT 1", table);
	_cleanup_free_ char *most = xasprintf("SELECT max(rowid) FROM main.%s", table);
	int64_t low = 0, high;
	int r = query_one_int(s, most, 0, &high);

	if (r < 0 || (r = query_new(s, sql, &q)) < 0)
		return r;
	for (high++; low < high;) {
		int64_t middle = low + (high - low) / 2;

		query_bind_int(q, ":row", middle);
		r = query_next(q);
		if (r < 0)
			return r;
		if (r && query_int(q, 0) < slice)
			low = middle + 1;
		else
			high = middle;
		query_reset(q);
	}
	*ret_row = low;
	return 0;
}

/* What this process wrote came slice by slice: in a live store of minutes, only what is asked for is looked at. */
static int add_rows(struct store *s, struct buf *sql, const char *table, int64_t first, int64_t last, bool tasks)
{
	int r;

	if (s->newest_slice && !s->unordered) {
		if ((r = find_row(s, table, first, &first)) < 0 || (r = find_row(s, table, last + 1, &last)) < 0)
			return r;
		add_table(sql, table, "rowid >= %lld AND rowid < %lld", first, last, tasks);
	} else {
		add_table(sql, table, "slice BETWEEN %lld AND %lld", first, last, tasks);
	}
	return 0;
}

void store_add_views(struct buf *sql)
{
	static const char create[] = "CREATE VIEW ";
	const char *p = store_views_sql, *next;

	for (; (next = strstr(p, create)); p = next + strlen(create)) {
		buf_add(sql, p, (size_t)(next - p));
		buf_addstr(sql, "CREATE TEMP VIEW ");
	}
	buf_addstr(sql, p);
}

int store_select(struct store *s, const struct selection *sel)
{
	static const struct {
		const char *table;
		bool tasks;
	} by_slice[] = {{"sample", true}, {"edge", true}, {"histogram", false}, {"gauge", false}};
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	bool tasks = sel->pid || sel->cgroup;
	int64_t first = 0, last = 0;
	int r = store_drop_temporary(s, "true");

	s->selected = false;
	if (r < 0)
		return r;
	if (!tasks && !sel->from_ns && !sel->to_ns) {
		if (s->foreign_views)
			store_add_views(&sql);
		return store_execute(s, sql.data);
	}
	if ((r = select_slices(s, sel, &first, &last)) < 0 || (tasks && (r = select_tasks(s, sel)) < 0))
		return r;
	add_table(&sql, "slice", "id BETWEEN %lld AND %lld", first, last, false);
	for (size_t i = 0; i < ARRAY_SIZE(by_slice); i++)
		if ((r = add_rows(s, &sql, by_slice[i].table, first, last, by_slice[i].tasks && tasks)) < 0)
			return r;
	add_table(&sql, "span", "ifnull(last, 1 << 40) >= %lld AND first <= %lld", first, last, tasks);
	add_table(&sql, "event",
		  "time_ns >= (SELECT start_ns FROM main.slice WHERE id = %lld) AND "
		  "time_ns < (SELECT end_ns FROM main.slice WHERE id = %lld)", first, last, false);
	store_add_views(&sql);
	s->selected = true;
	return store_execute(s, sql.data);
}
