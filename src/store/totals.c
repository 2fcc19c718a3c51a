// SPDX-License-Identifier: BSD-2-Clause
/* Sums over a whole recording for many questions: SQL sorts what it groups, and a recording has millions of rows but few
 * things in them. So they are added up here, once, and views of the same names are hidden by the sums. */
#include <string.h>

#include "buf.h"
#include "hash.h"
#include "mem.h"
#include "rows_table.h"
#include "store_internal.h"
#include "store_query.h"

enum { SAMPLES, HISTOGRAMS, EDGES, GAUGES, LEVELS, STACKS, TIMES, THREADS, PROCESSES, TOTALS };

/* The first columns of the rows, the keys, say what they are about, the others are added up. */
static const struct total {
	const char *name, *columns, *rows; /* rows NULL: made from others */
	unsigned keys;
	bool whole;    /* nothing is added up: the rows are kept as they are */
	unsigned real; /* as in struct rows_table */
} totals[TOTALS] = {
	[SAMPLES] = {"sample_total", "metric,task,stack,resource,count,value", "sample", 4},
	[HISTOGRAMS] = {"histogram_total", "metric,resource,bucket,count", "histogram", 3},
	[EDGES] = {"edge_total", "kind,task,stack,resource,other_task,other_stack,count,ns", "edge", 6},
	[GAUGES] = {"gauge_row", "metric,slice,resource,value", "gauge", 3, true, 3},
	[LEVELS] = {"sample_level", "metric,slice,task,resource,count,value", "sample_level", 4, true},
	[STACKS] = {"stack", "id,parent,frame", "main.stack", 3, true},
	[TIMES] = {"task_time", "task,metric,ns,count", NULL, 2},
	[THREADS] = {"thread_time", "task,running,runnable,sleeping,disk,stopped,held_up,switches,preempted", NULL, 1},
	[PROCESSES] = {"process_time", "process,threads,running,runnable,sleeping,disk,stopped,held_up,switches,preempted,"
		       "max_thread", NULL, 1},
};

/* Columns of THREADS; those of PROCESSES are one further on. */
enum { RUNNING = 1, RUNNABLE, HELD_UP = 6, SWITCHES, PREEMPTED, THREAD_COLUMNS, PROCESS_MOST = THREAD_COLUMNS + 1 };

/* Small ones that are asked for again and again, or are dear: it takes SQLite longer to plan kernel_lock_wait in a rule that
 * uses it more than once than to ask it. */
static const struct copy {
	const char *name, *index, *columns; /* columns NULL: as they come */
} copied[] = {
	{"period"},
	{"frame_name", NULL, "frame INTEGER PRIMARY KEY, kind TEXT, module TEXT, address INTEGER, symbol INTEGER, name TEXT,"
	 " file TEXT, line INTEGER"},
	{"kernel_lock_wait", "task"}, {"woken_by", "task"}, {"waits_for", "task"}, {"runtime", "process"}, {"pause", "process"},
};

struct totals {
	struct rows_source source;
	struct rows_table *tables[TOTALS];
};

static struct rows_table *find_table(void *arg, const char *name)
{
	struct totals *kept = arg;

	for (size_t i = 0; i < TOTALS; i++)
		if (!strcmp(totals[i].name, name))
			return kept->tables[i];
	return NULL;
}

void store_free_totals(struct store *s)
{
	for (size_t i = 0; s->totals && i < TOTALS; i++)
		rows_table_free(s->totals->tables[i]);
	free(s->totals);
	s->totals = NULL;
}

static int64_t cell_of(sqlite3_value *value, bool real)
{
	double number;
	int64_t bits;

	if (!real)
		return sqlite3_value_type(value) == SQLITE_NULL ? ROWS_NULL : sqlite3_value_int64(value);
	number = sqlite3_value_double(value);
	memcpy(&bits, &number, sizeof(bits));
	return bits;
}

/* An aggregate function that takes the rows in: half the time of fetching each row. */
static void add_row(sqlite3_context *context, int columns, sqlite3_value **values)
{
	struct rows_table *t = sqlite3_user_data(context);
	int64_t cells[ROWS_MOST_COLUMNS], *row;

	for (unsigned i = 0; i < t->width; i++)
		cells[i] = cell_of(values[i], i && i == t->real);
	row = rows_table_place(t, cells);
	for (unsigned i = t->keys; i < t->width; i++)
		store_add_to(&row[i], cells[i]);
}

static void add_whole_row(sqlite3_context *context, int columns, sqlite3_value **values)
{
	struct rows_table *t = sqlite3_user_data(context);
	int64_t *row = rows_table_add(t);

	for (unsigned i = 0; i < t->width; i++)
		row[i] = cell_of(values[i], i && i == t->real);
}

static void end_rows(sqlite3_context *context)
{
	sqlite3_result_null(context);
}

static int read_rows(struct store *s, const struct total *total, struct rows_table *t)
{
	static const char function[] = "take_row";
	_cleanup_free_ char *sql = xasprintf("SELECT %s(%s) FROM %s", function, total->columns, total->rows);

	if (sqlite3_create_function(s->db, function, (int)t->width, SQLITE_UTF8 | SQLITE_DIRECTONLY, t, NULL,
				    total->whole ? add_whole_row : add_row, end_rows) != SQLITE_OK)
		return store_error(s, "read");
	int r = store_execute(s, sql);
	sqlite3_create_function(s->db, function, (int)t->width, SQLITE_UTF8, NULL, NULL, NULL, NULL);
	return r;
}

/* What a metric is of a thread's time: the column of THREADS, and whether that is held up, too. */
static int read_metrics(struct store *s, struct map *metrics)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT metric, CASE state WHEN 'running' THEN 1 WHEN 'runnable' THEN 2 WHEN 'sleeping' THEN 3 "
			     "WHEN 'disk' THEN 4 WHEN 'stopped' THEN 5 ELSE 0 END, cause IS NOT NULL AND NOT idle FROM time_metric", &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		map_put(metrics, (uint64_t)query_int(q, 0), (uint64_t)(query_int(q, 1) << 1 | query_int(q, 2)));
	return r;
}

static void add_time(struct totals *kept, const struct map *metrics, int64_t task, int64_t metric, int64_t ns, int64_t count)
{
	uint64_t what, column;

	if (!map_get(metrics, (uint64_t)metric, &what))
		return;
	int64_t *time = rows_table_place(kept->tables[TIMES], (const int64_t[]){task, metric});
	store_add_to(&time[2], ns);
	store_add_to(&time[3], count);
	int64_t *thread = rows_table_place(kept->tables[THREADS], &task);
	if ((column = what >> 1))
		store_add_to(&thread[column], ns);
	if (what & 1)
		store_add_to(&thread[HELD_UP], ns);
	if (column == RUNNING || column == RUNNABLE)
		store_add_to(&thread[column == RUNNING ? SWITCHES : PREEMPTED], count);
}

static int add_times(struct store *s, struct totals *kept)
{
	_cleanup_(map_freep) struct map *metrics = map_new();
	_cleanup_(query_freep) struct query *q = NULL;
	const struct rows_table *samples = kept->tables[SAMPLES];
	int r = read_metrics(s, metrics);

	if (r < 0 || (r = query_new(s, STORE_TIME_SPANS, &q)) < 0)
		return r;
	for (size_t i = 0; i < samples->count; i++) {
		const int64_t *row = rows_table_row(samples, i);

		add_time(kept, metrics, row[1], row[0], row[5], row[4]);
	}
	while ((r = query_next(q)) > 0)
		add_time(kept, metrics, query_int(q, 0), query_int(q, 1), query_int(q, 2), 0);
	rows_table_sort(kept->tables[THREADS]);
	return r;
}

static int add_processes(struct store *s, struct totals *kept)
{
	_cleanup_(map_freep) struct map *processes = map_new(); /* of tasks */
	_cleanup_(query_freep) struct query *q = NULL;
	const struct rows_table *threads = kept->tables[THREADS];
	int r = query_new(s, "SELECT id, process FROM main.task", &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		map_put(processes, (uint64_t)query_int(q, 0), (uint64_t)query_int(q, 1));
	for (size_t i = 0; r >= 0 && i < threads->count; i++) {
		const int64_t *thread = rows_table_row(threads, i);
		uint64_t id;

		if (!map_get(processes, (uint64_t)thread[0], &id))
			continue;
		int64_t *process = rows_table_place(kept->tables[PROCESSES], (const int64_t[]){(int64_t)id});
		process[1]++;
		for (int k = RUNNING; k < THREAD_COLUMNS; k++)
			store_add_to(&process[k + 1], thread[k]);
		if (thread[RUNNING] > process[PROCESS_MOST])
			process[PROCESS_MOST] = thread[RUNNING];
	}
	rows_table_sort(kept->tables[PROCESSES]);
	return r;
}

static int keep_totals(struct store *s, struct totals *kept)
{
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < TOTALS; i++) {
		kept->tables[i] = rows_table_new(totals[i].columns, totals[i].keys, totals[i].real);
		if (totals[i].rows)
			r = read_rows(s, &totals[i], kept->tables[i]);
		buf_addf(&sql, "DROP VIEW IF EXISTS temp.%s; CREATE VIRTUAL TABLE temp.%s USING rows;", totals[i].name, totals[i].name);
	}
	if (r < 0 || (r = add_times(s, kept)) < 0 || (r = add_processes(s, kept)) < 0)
		return r;
	if (rows_table_register(s->db, &kept->source) != SQLITE_OK)
		return store_error(s, "read");
	return store_execute(s, sql.data);
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

	if (s->totals)
		return 0;
	s->totals = xcalloc(1, sizeof(*s->totals));
	s->totals->source = (struct rows_source){.find = find_table, .arg = s->totals};
	/* Views of the file see the file's views only: with temporary ones, all see what is kept. */
	if (!s->selected) {
		store_add_views(&sql);
		r = store_execute(s, sql.data);
	}
	if (r >= 0)
		r = keep_totals(s, s->totals);
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
