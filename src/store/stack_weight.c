// SPDX-License-Identifier: BSD-2-Clause
#include "stack_weight.h"

#include "buf.h"
#include "hash.h"
#include "mem.h"
#include "store_internal.h"
#include "store_query.h"

/* What is added up, and where: rows are few against samples, so they are found by hash. */
struct sums {
	const struct stack_filter *filter;
	struct map *processes; /* of tasks; NULL: not needed */
	struct map *wanted;    /* tasks; NULL: all */
	struct map *index;     /* (process, stack) -> weight */
	struct stack_weight *weights;
	size_t count, capacity;
};

static void sums_done(struct sums *sums)
{
	map_free(sums->processes);
	map_free(sums->wanted);
	map_free(sums->index);
	free(sums->weights);
}

static int load_processes(struct store *s, struct map *processes)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT id, process FROM task", &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		map_put(processes, (uint64_t)query_int(q, 0), (uint64_t)query_int(q, 1));
	return r;
}

static struct stack_weight *weight_of(struct sums *sums, uint32_t process, uint32_t stack)
{
	uint64_t key = (uint64_t)process << 32 | stack, i;

	if (map_get(sums->index, key, &i))
		return &sums->weights[i];
	map_put(sums->index, key, sums->count);
	GROW(sums->weights, sums->count, sums->capacity);
	sums->weights[sums->count] = (struct stack_weight){.stack = stack, .process = process};
	return &sums->weights[sums->count++];
}

static void add_row(struct sums *sums, struct query *q)
{
	const struct stack_filter *f = sums->filter;
	uint64_t task = (uint64_t)query_int(q, 0), process = 0;
	int64_t stack = query_int(q, 1);

	if (sums->wanted && !map_get(sums->wanted, task, &process))
		return;
	if (sums->processes && !map_get(sums->processes, task, &process))
		process = 0;
	if (f->process && process != f->process)
		return;
	struct stack_weight *w = weight_of(sums, f->by_process ? (uint32_t)process : 0,
					   stack > 0 && stack <= UINT32_MAX ? (uint32_t)stack : 0);
	store_add_to(&w->count, query_int(q, 2));
	store_add_to(&w->value, query_int(q, 3));
}

static void add_conditions(struct buf *sql, const struct stack_filter *f)
{
	buf_addstr(sql, " WHERE s.metric IN (SELECT id FROM metric WHERE name GLOB :metric)");
	if (f->held_up)
		buf_addstr(sql, " AND s.metric NOT IN (SELECT w.id FROM metric w JOIN time_metric t"
				" ON w.name = 'wait.' || t.cause WHERE t.idle)");
	if (f->task)
		buf_addf(sql, " AND s.task = %u", f->task);
	if (f->resource)
		buf_addf(sql, " AND s.resource = %u", f->resource);
}

/* A span is time that goes on from slice to slice: it counts for those that are looked at. */
static void make_sql(struct buf *sql, const struct store *s, const struct stack_filter *f)
{
	buf_addf(sql, "SELECT s.task, s.stack, s.count, s.value FROM %s s", s->totals ? "sample_total" : "sample");
	add_conditions(sql, f);
	buf_addstr(sql, " UNION ALL SELECT s.task, s.stack, 0, l.end_ns - b.start_ns FROM span s"
			" JOIN period p ON s.first <= p.last AND ifnull(s.last, p.last) >= p.first"
			" JOIN slice b ON b.id = max(s.first, p.first)"
			" JOIN slice l ON l.id = min(ifnull(s.last, p.last), p.last)");
	add_conditions(sql, f);
}

static int heavier(const void *a, const void *b)
{
	const struct stack_weight *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? 1 : -1;
	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return x->stack < y->stack ? -1 : x->stack > y->stack;
}

int stack_weights(struct store *s, const struct stack_filter *filter, struct stack_weight **ret_weights,
		  size_t *ret_count)
{
	_cleanup_(sums_done) struct sums sums = {.filter = filter, .index = map_new()};
	_cleanup_(query_freep) struct query *q = NULL;
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	int r = 0;

	if (filter->by_process || filter->process) {
		sums.processes = map_new();
		r = load_processes(s, sums.processes);
	}
	if (filter->task_count)
		sums.wanted = map_new();
	for (size_t i = 0; i < filter->task_count; i++)
		map_put(sums.wanted, filter->tasks[i], 0);
	make_sql(&sql, s, filter);
	if (r < 0 || (r = query_new(s, sql.data, &q)) < 0)
		return r;
	query_bind_text(q, ":metric", filter->metric);
	while ((r = query_next(q)) > 0)
		add_row(&sums, q);
	if (r < 0)
		return r;
	if (sums.count)
		qsort(sums.weights, sums.count, sizeof(*sums.weights), heavier);
	*ret_weights = sums.weights;
	*ret_count = sums.count;
	sums.weights = NULL;
	return 0;
}
