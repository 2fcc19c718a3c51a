// SPDX-License-Identifier: BSD-2-Clause
/* Sums over a whole recording for many questions: SQL sorts what it groups, and a recording has millions of rows but few
 * things in them. So they are added up here, once, and views of the same names are hidden by the sums. */
#include <string.h>

#include "buf.h"
#include "intern.h"
#include "mem.h"
#include "store_internal.h"
#include "store_query.h"

enum { MOST_KEYS = 4, MOST_COLUMNS = 6 };

/* The first columns of the rows say what they are about, the others are added up. */
static const struct total {
	const char *name, *rows, *columns;
	int keys, sums;
	const char *index; /* NULL: none */
} totals[] = {
	{"sample_total", "SELECT metric, task, stack, resource, count, value FROM sample",
	 "metric, task, stack, resource, count, value", 4, 2, "metric"},
	{"histogram_total", "SELECT metric, resource, bucket, count FROM histogram", "metric, resource, bucket, count", 3, 1,
	 NULL},
	{"task_time", STORE_TIME_PARTS("sample_total"), "task, metric, ns, count", 2, 2, "task"},
};

/* Small ones that are asked for again and again, or are dear: it takes SQLite longer to plan kernel_lock_wait in a rule that
 * uses it more than once than to ask it. */
static const struct copy {
	const char *name, *index, *columns; /* columns NULL: as they come */
} copied[] = {
	{"frame_name", NULL, "frame INTEGER PRIMARY KEY, kind TEXT, module TEXT, address INTEGER, symbol INTEGER, name TEXT,"
	 " file TEXT, line INTEGER"},
	{"thread_state", "task"}, {"process_state", "process"}, {"kernel_lock_wait", "task"}, {"waker", "task"}, {"woken_by", "task"},
	{"waits_for", "task"},
};

struct sums {
	const struct total *total;
	struct intern *keys;
	int64_t (*rows)[MOST_COLUMNS]; /* by id of the key, which is the first columns */
	size_t count, capacity, last;
};

static void sums_done(struct sums *sums)
{
	intern_free(sums->keys);
	free(sums->rows);
}

/* Every slice names the same things in much the same order: the next one is guessed before it is looked up. */
static size_t place_of(struct sums *sums, const int64_t *key, size_t len)
{
	size_t guess = sums->last + 1;
	bool is_new;

	if (guess < sums->count && !memcmp(sums->rows[guess], key, len))
		return sums->last = guess;
	sums->last = intern_id(sums->keys, key, len, &is_new);
	if (is_new) {
		GROW(sums->rows, sums->count, sums->capacity);
		memset(sums->rows[sums->count], 0, sizeof(*sums->rows));
		memcpy(sums->rows[sums->count++], key, len);
	}
	return sums->last;
}

/* An aggregate function that adds the rows up here: half the time of fetching each row. */
static void add_row(sqlite3_context *context, int columns, sqlite3_value **values)
{
	struct sums *sums = sqlite3_user_data(context);
	const struct total *t = sums->total;
	int64_t key[MOST_KEYS];
	size_t place;

	for (int i = 0; i < t->keys; i++)
		key[i] = sqlite3_value_type(values[i]) == SQLITE_NULL ? INT64_MIN : sqlite3_value_int64(values[i]);
	place = place_of(sums, key, (size_t)t->keys * sizeof(*key));
	for (int i = t->keys; i < columns; i++)
		store_add_to(&sums->rows[place][i], sqlite3_value_int64(values[i]));
}

static void end_rows(sqlite3_context *context)
{
	sqlite3_result_null(context);
}

static int add_up(struct store *s, const struct total *t, struct sums *sums)
{
	static const char function[] = "add_up_row";
	_cleanup_free_ char *sql = xasprintf("SELECT %s(%s) FROM (%s)", function, t->columns, t->rows);

	if (sqlite3_create_function(s->db, function, t->keys + t->sums, SQLITE_UTF8 | SQLITE_DIRECTONLY, sums, NULL, add_row,
				    end_rows) != SQLITE_OK)
		return store_error(s, "read");
	int r = store_execute(s, sql);
	sqlite3_create_function(s->db, function, t->keys + t->sums, SQLITE_UTF8, NULL, NULL, NULL, NULL);
	return r;
}

static int write_sums(struct store *s, const struct total *t, const struct sums *sums)
{
	_cleanup_(query_freep) struct query *q = NULL;
	_cleanup_free_ char *sql = xasprintf("INSERT INTO temp.%s VALUES(%.*s)", t->name, 2 * (t->keys + t->sums) - 1,
					     "?,?,?,?,?,?");
	int r = query_new(s, sql, &q);

	for (size_t i = 0; r >= 0 && i < sums->count; i++) {
		const int64_t *row = sums->rows[i];

		for (int k = 0; k < t->keys + t->sums; k++)
			if (k < t->keys && row[k] == INT64_MIN)
				sqlite3_bind_null(q->statement, k + 1);
			else
				sqlite3_bind_int64(q->statement, k + 1, row[k]);
		r = query_next(q);
		query_reset(q);
	}
	return r;
}

/* With a type: SQLite finds nothing by an index on a column without one when it is compared to a column that has one. */
static void add_typed(struct buf *sql, const char *columns)
{
	size_t len;

	for (; *columns; columns += len) {
		len = strcspn(columns, ",");
		buf_add(sql, columns, len);
		buf_addstr(sql, " INTEGER");
		if (columns[len])
			buf_add(sql, &columns[len++], 1);
	}
}

static int keep_total(struct store *s, const struct total *t)
{
	_cleanup_(sums_done) struct sums sums = {.total = t, .keys = intern_new()};
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	int r = add_up(s, t, &sums);

	buf_addf(&sql, "DROP VIEW temp.%s; CREATE TEMP TABLE %s(", t->name, t->name);
	add_typed(&sql, t->columns);
	buf_addstr(&sql, ");");
	if (t->index)
		buf_addf(&sql, "CREATE INDEX temp.%s_%s ON %s(%s);", t->name, t->index, t->name, t->index);
	if (r < 0 || (r = store_execute(s, sql.data)) < 0)
		return r;
	return write_sums(s, t, &sums);
}

static void add_copy(struct buf *sql, const struct copy *c)
{
	if (c->columns)
		buf_addf(sql, "CREATE TEMP TABLE kept_%s(%s); INSERT INTO temp.kept_%s SELECT * FROM %s;", c->name, c->columns, c->name,
			 c->name);
	else
		buf_addf(sql, "CREATE TEMP TABLE kept_%s AS SELECT * FROM %s;", c->name, c->name);
	if (c->index)
		buf_addf(sql, "CREATE INDEX temp.kept_%s_index ON kept_%s(%s);", c->name, c->name, c->index);
	buf_addf(sql, "DROP VIEW temp.%s; CREATE TEMP VIEW %s AS SELECT * FROM temp.kept_%s;", c->name, c->name, c->name);
}

static int keep_copies(struct store *s)
{
	_cleanup_(buf_done) struct buf sql = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(copied); i++)
		add_copy(&sql, &copied[i]);
	return store_execute(s, sql.data);
}

int store_keep_totals(struct store *s)
{
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	int r = 0;

	if (s->kept)
		return 0;
	s->kept = true;
	/* Views of the file see the file's views only: with temporary ones, all see what is kept. */
	if (!s->selected) {
		store_add_views(&sql);
		r = store_execute(s, sql.data);
	}
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(totals); i++)
		r = keep_total(s, &totals[i]);
	if (r >= 0)
		r = keep_copies(s);
	return r < 0 ? r : 1;
}

int store_drop_totals(struct store *s)
{
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	int r = store_drop_temporary(s, "(iif(type = 'view', name IN (SELECT name FROM main.sqlite_schema WHERE type = 'view'),"
					" name <> 'selected_task'))");

	if (s->selected)
		store_add_views(&sql);
	return r < 0 ? r : store_execute(s, sql.data);
}
