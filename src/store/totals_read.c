// SPDX-License-Identifier: BSD-2-Clause
#include "totals_read.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "fail.h"
#include "hash.h"
#include "mem.h"
#include "store_internal.h"
#include "store_query.h"

#define WORTH_A_THREAD 50000 /* rows: some 20 ms */
#define MOST_ROWS (1ll << 40) /* more are said to be there by a file that is none of ours */

const struct total totals[TOTALS] = {
	[SAMPLES] = {"sample_total", "metric,task,stack,resource,count,value", "sample", 4},
	[HISTOGRAMS] = {"histogram_total", "metric,resource,bucket,count", "histogram", 3},
	[EDGES] = {"edge_total", "kind,task,stack,resource,other_task,other_stack,count,ns", "edge", 6},
	[GAUGES] = {"gauge_row", "metric,slice,resource,value REAL", "gauge", 3, true},
	[LEVELS] = {"sample_level", "metric,slice,task,resource,count,value", NULL, 4, true},
	[STACKS] = {"stack", "id,parent,frame", "main.stack", 3, true},
	[PROCESSES] = {"process", "id,pid,ppid,comm TEXT,command TEXT,exe TEXT,cgroup,start_ns,end_ns,exit_status,flags",
		       "main.process", 3, true},
	[TASKS] = {"task", "id,process,tid,comm TEXT,start_ns,end_ns", "main.task", 3, true},
	[THREADS] = {"thread", "task,tid,comm TEXT,process,pid,process_comm TEXT,command TEXT,cgroup TEXT,kernel,own", NULL, 5},
	[TIMES] = {"task_time", "task,metric,ns,count", NULL, 2},
	[THREAD_TIMES] = {"thread_time", "task,running,runnable,sleeping,disk,stopped,held_up,switches,preempted", NULL, 1},
	[PROCESS_TIMES] = {"process_time", "process,threads,running,runnable,sleeping,disk,stopped,held_up,switches,preempted,"
			   "max_thread", NULL, 1},
	[SPEAKERS] = {"stack_speaker", "stack,function TEXT,path TEXT", NULL, 1},
};

/* A part of what is to be read, by one thread. */
struct share {
	struct store *store;
	struct intern *texts;      /* NULL: none of its tables has any */
	struct rows_table **tables;
	const enum total_table *wanted; /* up to TOTALS */
	const char *where;         /* which of the samples; "": all */
	const struct map *levels;  /* metrics whose samples are LEVELS, too */
	int error;
	char message[256];         /* of it */
};

/* What a statement's rows go to. */
struct reading {
	const struct share *share;
	struct rows_table *table;
};

struct rows_table *totals_table_new(enum total_table which)
{
	return rows_table_new(totals[which].columns, totals[which].keys);
}

int64_t totals_text(struct intern *texts, const char *text)
{
	return (int64_t)(intptr_t)intern_key(texts, intern_id(texts, text, strlen(text), NULL), NULL);
}

static int64_t cell_of(const struct reading *reading, unsigned column, sqlite3_value *value)
{
	enum rows_type type = reading->table->type[column];
	bool null = sqlite3_value_type(value) == SQLITE_NULL;
	double number;
	int64_t bits;

	if (type == ROWS_INTEGER)
		return null ? ROWS_NULL : sqlite3_value_int64(value);
	if (type == ROWS_TEXT)
		return null ? 0 : totals_text(reading->share->texts, (const char *)sqlite3_value_text(value));
	number = sqlite3_value_double(value);
	memcpy(&bits, &number, sizeof(bits));
	return bits;
}

static void add_to(struct rows_table *t, const int64_t *cells)
{
	int64_t *row = rows_table_place(t, cells);

	for (unsigned i = t->keys; i < t->width; i++)
		store_add_to(&row[i], cells[i]);
}

/* An aggregate function that takes the rows in: half the time of fetching each row. */
static void add_row(sqlite3_context *context, int columns, sqlite3_value **values)
{
	const struct reading *reading = sqlite3_user_data(context);
	int64_t cells[ROWS_MOST_COLUMNS];

	for (unsigned i = 0; i < reading->table->width; i++)
		cells[i] = cell_of(reading, i, values[i]);
	add_to(reading->table, cells);
}

static void add_whole_row(sqlite3_context *context, int columns, sqlite3_value **values)
{
	const struct reading *reading = sqlite3_user_data(context);
	int64_t *row = rows_table_add(reading->table);

	for (unsigned i = 0; i < reading->table->width; i++)
		row[i] = cell_of(reading, i, values[i]);
}

/* The columns of SAMPLES, and the slice. */
static void add_sample(sqlite3_context *context, int columns, sqlite3_value **values)
{
	enum { METRIC, TASK, STACK, RESOURCE, COUNT, VALUE, SLICE, COLUMNS };
	const struct reading *reading = sqlite3_user_data(context);
	int64_t c[COLUMNS];
	uint64_t found;

	for (unsigned i = 0; i < COLUMNS; i++)
		c[i] = sqlite3_value_type(values[i]) == SQLITE_NULL ? ROWS_NULL : sqlite3_value_int64(values[i]);
	add_to(reading->table, c);
	if (map_get(reading->share->levels, (uint64_t)c[METRIC], &found))
		memcpy(rows_table_add(reading->share->tables[LEVELS]),
		       (const int64_t[]){c[METRIC], c[SLICE], c[TASK], c[RESOURCE], c[COUNT], c[VALUE]}, 6 * sizeof(*c));
}

static void end_rows(sqlite3_context *context)
{
	sqlite3_result_null(context);
}

static int read_rows(const struct share *share, enum total_table which)
{
	static const char function[] = "take_row";
	bool samples = which == SAMPLES;
	struct store *s = share->store;
	struct reading reading = {.share = share, .table = share->tables[which]};
	int columns = (int)reading.table->width + samples;
	_cleanup_(buf_done) struct buf sql = BUF_INIT;

	buf_addf(&sql, "SELECT %s(", function);
	rows_table_add_names(reading.table, &sql);
	buf_addf(&sql, "%s) FROM %s%s", samples ? ",slice" : "", totals[which].rows, samples ? share->where : "");
	if (sqlite3_create_function(s->db, function, columns, SQLITE_UTF8 | SQLITE_DIRECTONLY, &reading, NULL,
				    samples ? add_sample : totals[which].whole ? add_whole_row : add_row, end_rows) != SQLITE_OK)
		return store_error(s, "read");
	int r = store_execute(s, sql.data);
	sqlite3_create_function(s->db, function, columns, SQLITE_UTF8, NULL, NULL, NULL, NULL);
	return r;
}

static int read_share(const struct share *share)
{
	int r = 0;

	for (const enum total_table *which = share->wanted; r >= 0 && *which != TOTALS; which++)
		r = read_rows(share, *which);
	return r;
}

static void *read_beside(void *arg)
{
	struct share *share = arg;

	share->error = read_share(share);
	if (share->error < 0)
		snprintf(share->message, sizeof(share->message), "%s", fail_message());
	return NULL;
}

/* Behind what was read of the samples before them: in the same order as if one thread had read all. */
static void append(struct rows_table *to, struct rows_table *from, bool whole)
{
	for (size_t i = 0; i < from->count; i++)
		if (whole)
			memcpy(rows_table_add(to), rows_table_row(from, i), to->width * sizeof(*to->cells));
		else
			add_to(to, rows_table_row(from, i));
}

static int64_t count_rows(struct store *s, const char *table)
{
	_cleanup_free_ char *sql = xasprintf("SELECT max(rowid) FROM main.%s", table);
	int64_t count = 0;

	query_one_int(s, sql, 0, &count);
	return count < 0 ? 0 : count < MOST_ROWS ? count : MOST_ROWS;
}

static int read_levels(struct store *s, struct map *levels)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT metric FROM level_metric", &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		map_put(levels, (uint64_t)query_int(q, 0), 1);
	return r;
}

static int read_alone(struct share share)
{
	static const enum total_table all[] = {SAMPLES, HISTOGRAMS, EDGES, GAUGES, STACKS, PROCESSES, TASKS, TOTALS};

	share.wanted = all;
	share.where = "";
	return read_share(&share);
}

/* The samples are divided so that both have as much to do, together with the others; a row with texts is as dear as three. */
static int64_t middle(struct store *s, int64_t samples)
{
	int64_t own = 3 * count_rows(s, "process") + 2 * count_rows(s, "task"),
		others = count_rows(s, "histogram") + count_rows(s, "edge") + count_rows(s, "gauge") + count_rows(s, "stack") / 2;
	int64_t at = (samples + others - own) / 2;

	return at < 0 ? 0 : at < samples ? at : samples;
}

static int read_together(struct share own, struct store *beside, int64_t samples)
{
	static const enum total_table first[] = {SAMPLES, PROCESSES, TASKS, TOTALS}, second[] = {SAMPLES, HISTOGRAMS, EDGES, GAUGES, STACKS, TOTALS};
	int64_t at = middle(own.store, samples);
	_cleanup_free_ char *before = xasprintf(" WHERE rowid <= %lld", (long long)at), *behind = xasprintf(" WHERE rowid > %lld", (long long)at);
	struct rows_table *tables[TOTALS];
	pthread_t thread;

	memcpy(tables, own.tables, sizeof(tables));
	tables[SAMPLES] = totals_table_new(SAMPLES);
	tables[LEVELS] = totals_table_new(LEVELS);
	struct share other = {.store = beside, .tables = tables, .wanted = second, .where = behind, .levels = own.levels};
	own.wanted = first;
	own.where = before;
	bool started = pthread_create(&thread, NULL, read_beside, &other) == 0;
	int r = read_share(&own);
	if (started)
		pthread_join(thread, NULL);
	else
		read_beside(&other);
	append(own.tables[SAMPLES], tables[SAMPLES], false);
	append(own.tables[LEVELS], tables[LEVELS], true);
	rows_table_free(tables[SAMPLES]);
	rows_table_free(tables[LEVELS]);
	return r < 0 || other.error >= 0 ? r : failx(other.error, "%s", other.message);
}

int totals_read(struct store *s, struct intern *texts, struct rows_table *tables[TOTALS])
{
	_cleanup_(store_freep) struct store *beside = NULL;
	_cleanup_(map_freep) struct map *levels = map_new();
	const struct share share = {.store = s, .texts = texts, .tables = tables, .levels = levels};
	int64_t samples = count_rows(s, "sample");
	int r = read_levels(s, levels);

	if (r < 0)
		return r;
	if (samples >= WORTH_A_THREAD)
		beside = store_open_beside(s);
	return beside ? read_together(share, beside, samples) : read_alone(share);
}
