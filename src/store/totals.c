// SPDX-License-Identifier: BSD-2-Clause
/* Sums over a whole recording for many questions: SQL sorts what it groups, and a recording has millions of rows but few
 * things in them. So they are added up here, once, and views of the same names are hidden by the sums. */
#include <string.h>

#include "buf.h"
#include "hash.h"
#include "intern.h"
#include "mem.h"
#include "rows_table.h"
#include "speakers.h"
#include "stack_view.h"
#include "store_internal.h"
#include "store_query.h"
#include "totals_read.h"

/* Columns of THREAD_TIMES; those of PROCESS_TIMES are one further on. */
enum { RUNNING = 1, RUNNABLE, HELD_UP = 6, SWITCHES, PREEMPTED, THREAD_COLUMNS, PROCESS_MOST = THREAD_COLUMNS + 1 };

/* Small ones that are asked for again and again, or are dear: it takes SQLite longer to plan kernel_lock_wait in a rule that
 * uses it more than once than to ask it. */
static const struct copy {
	const char *name, *index, *columns; /* columns NULL: as they come */
} copied[] = {
	{"period"},
	{"metric", "name", "id INTEGER PRIMARY KEY, name TEXT, unit TEXT, help TEXT"},
	{"time_metric", "cause"},
	{"frame_name", NULL, "frame INTEGER PRIMARY KEY, kind TEXT, module TEXT, address INTEGER, symbol INTEGER, name TEXT,"
	 " file TEXT, line INTEGER"},
	{"code_frame", NULL, "frame INTEGER PRIMARY KEY, name TEXT, kind TEXT, module TEXT, rank INTEGER"},
	{"kernel_lock_wait", "task"}, {"woken_by", "task"}, {"waits_for", "task"}, {"runtime", "process"}, {"pause", "process"},
};

struct totals {
	struct rows_source source;
	struct intern *texts;
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

const struct rows_table *store_kept_stacks(const struct store *s)
{
	return s->totals ? s->totals->tables[STACKS] : NULL;
}

void store_free_totals(struct store *s)
{
	stack_view_free(s->stacks);
	s->stacks = NULL;
	if (!s->totals)
		return;
	for (size_t i = 0; i < TOTALS; i++)
		rows_table_free(s->totals->tables[i]);
	intern_free(s->totals->texts);
	free(s->totals);
	s->totals = NULL;
}

/* The view thread. Columns of processes: 0 id, 1 pid, 3 comm, 4 command, 6 cgroup, 10 flags; of tasks: 0 id, 1 process, 2 tid, 3 comm. */
static int add_threads(struct store *s, struct totals *kept)
{
	_cleanup_(map_freep) struct map *cgroups = map_new();
	_cleanup_(query_freep) struct query *q = NULL;
	const struct rows_table *tasks = kept->tables[TASKS];
	int r = query_new(s, "SELECT id, path FROM cgroup", &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		map_put(cgroups, (uint64_t)query_int(q, 0), (uint64_t)totals_text(kept->texts, query_text(q, 1)));
	for (size_t i = 0; r >= 0 && i < tasks->count; i++) {
		const int64_t *task = rows_table_row(tasks, i), *process = rows_table_find(kept->tables[PROCESSES], 0, task[1]);
		uint64_t cgroup = 0;

		if (!process)
			continue;
		map_get(cgroups, (uint64_t)process[6], &cgroup);
		const int64_t cells[] = {task[0], task[2], task[3], process[0], process[1], process[3], process[4], (int64_t)cgroup,
					 process[10] & 1, process[10] >> 1 & 1};
		memcpy(rows_table_add(kept->tables[THREADS]), cells, sizeof(cells));
	}
	return r;
}

/* What a metric is of a thread's time: the column of THREAD_TIMES, and whether that is held up, too. */
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
	int64_t *thread = rows_table_place(kept->tables[THREAD_TIMES], &task);
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
	rows_table_sort(kept->tables[THREAD_TIMES]);
	return r;
}

static void add_processes(struct totals *kept)
{
	const struct rows_table *threads = kept->tables[THREAD_TIMES];

	for (size_t i = 0; i < threads->count; i++) {
		const int64_t *thread = rows_table_row(threads, i), *task = rows_table_find(kept->tables[TASKS], 0, thread[0]);

		if (!task)
			continue;
		int64_t *process = rows_table_place(kept->tables[PROCESS_TIMES], &task[1]);
		process[1]++;
		for (int k = RUNNING; k < THREAD_COLUMNS; k++)
			store_add_to(&process[k + 1], thread[k]);
		if (thread[RUNNING] > process[PROCESS_MOST])
			process[PROCESS_MOST] = thread[RUNNING];
	}
	rows_table_sort(kept->tables[PROCESS_TIMES]);
}

static void add_shown(struct buf *sql, const char *name)
{
	buf_addf(sql, "DROP VIEW IF EXISTS temp.%s; CREATE VIRTUAL TABLE temp.%s USING rows;", name, name);
}

static int keep_totals(struct store *s, struct totals *kept)
{
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	int r;

	for (size_t i = 0; i < SPEAKERS; i++) {
		kept->tables[i] = totals_table_new(i);
		add_shown(&sql, totals[i].name);
	}
	if ((r = totals_read(s, kept->texts, kept->tables)) < 0 || (r = add_threads(s, kept)) < 0 || (r = add_times(s, kept)) < 0)
		return r;
	add_processes(kept);
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
	buf_addf(sql, "DROP VIEW IF EXISTS temp.%s; CREATE TEMP VIEW %s AS SELECT * FROM temp.kept_%s;", c->name, c->name, c->name);
}

static int keep_copies(struct store *s)
{
	_cleanup_(buf_done) struct buf sql = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(copied); i++)
		add_copy(&sql, &copied[i]);
	buf_addstr(&sql, "ANALYZE temp"); /* or they are planned for as if they were large */
	return store_execute(s, sql.data);
}

int store_keep_totals(struct store *s)
{
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	int r = 0;

	if (s->totals)
		return 0;
	s->totals = xcalloc(1, sizeof(*s->totals));
	s->totals->texts = intern_new();
	s->totals->source = (struct rows_source){.find = find_table, .arg = s->totals};
	/* Views of the file see the file's views only: with temporary ones, all see what is kept. */
	if (!s->selected && !s->foreign_views) {
		store_add_views(&sql);
		r = store_execute(s, sql.data);
	}
	if (r >= 0)
		r = keep_totals(s, s->totals);
	if (r >= 0)
		r = keep_copies(s);
	return r < 0 ? r : 1;
}

int store_keep_speakers(struct store *s)
{
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	struct totals *kept = s->totals;
	int r;

	if (!kept || kept->tables[SPEAKERS])
		return 0;
	kept->tables[SPEAKERS] = totals_table_new(SPEAKERS);
	r = store_find_speakers(s, kept->tables[STACKS], kept->texts, kept->tables[SPEAKERS]);
	add_shown(&sql, totals[SPEAKERS].name);
	if (r >= 0)
		r = store_execute(s, sql.data);
	if (r < 0) {
		rows_table_free(kept->tables[SPEAKERS]);
		kept->tables[SPEAKERS] = NULL;
	}
	return r;
}

int store_drop_totals(struct store *s)
{
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	/* Not what hides tables because a part is selected. */
	int r = store_drop_temporary(s, "(iif(type = 'view', name = 'metric' OR name NOT IN (SELECT name FROM main.sqlite_schema"
					" WHERE type = 'table'), name <> 'selected_task'))");

	if (s->selected || s->foreign_views)
		store_add_views(&sql);
	return r < 0 ? r : store_execute(s, sql.data);
}
