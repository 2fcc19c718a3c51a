// SPDX-License-Identifier: BSD-2-Clause
#include "compare.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "fail.h"
#include "histogram.h"
#include "intern.h"
#include "json_text.h"
#include "mem.h"
#include "stack_view.h"
#include "store_query.h"

/* Hundreds of quantities are compared at once: at four standard errors, chance alone shows one in ten thousand. */
#define LEAST_SIGMA 4.0
#define LEAST_SHARE 0.10    /* of what it was: less is not worth a person's time */
#define CRITICAL_SHARE 0.50

enum { BEFORE, AFTER, SIDES };

/* One quantity in one recording, over its slices; a slice without a row counts as 0. */
struct series {
	double sum, squares;
};

struct quantity {
	struct series side[SIDES];
};

struct comparison {
	struct intern *names; /* kind as one byte, then the name */
	struct quantity *quantities;
	uint32_t capacity;
	size_t slices[SIDES];
};

/* What a change must come to before it is told, in the unit of its kind. */
static const struct {
	const char *name, *unit;
	double least, critical;
} kinds[] = {
	[COMPARE_MACHINE] = {"machine", "% of all CPUs", 2, 20},
	[COMPARE_LATENCY] = {"latency", "us", 100, 2000},
	[COMPARE_PROCESS] = {"process", "% of a CPU", 1, 10},
	[COMPARE_FUNCTION] = {"function", "% of a CPU", 1, 10},
};

const char *compare_kind_name(enum compare_kind kind)
{
	return kinds[kind].name;
}

static void add(struct comparison *c, int side, enum compare_kind kind, const char *name, double value)
{
	_cleanup_(buf_done) struct buf key = BUF_INIT;
	bool is_new;
	uint32_t id;

	buf_addch(&key, (char)kind);
	buf_addstr(&key, name);
	id = intern_id(c->names, key.data, key.len, &is_new);
	if (is_new) {
		GROW(c->quantities, id, c->capacity);
		c->quantities[id] = (struct quantity){0};
	}
	c->quantities[id].side[side].sum += value;
	c->quantities[id].side[side].squares += value * value;
}

/* The last slice ends with the recording: a stump says little about a whole slice. */
#define WHOLE "(SELECT id, start_ns, end_ns FROM slice WHERE 2 * (end_ns - start_ns) >= (SELECT max(end_ns - start_ns) FROM slice))"

/* Rows of (name, slice, value): one value a slice and name. */
static int add_rows(struct comparison *c, int side, enum compare_kind kind, struct store *s, const char *sql)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, sql, &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		add(c, side, kind, query_text(q, 0), query_real(q, 2));
	return r;
}

/* Per cent of a CPU by process name; threads that ran all through a slice are spans. */
static const char process_sql[] =
	"WITH ran AS (SELECT s.task, s.slice, s.value AS ns FROM sample s JOIN metric m ON m.id = s.metric "
	"WHERE m.name = 'task.running' UNION ALL "
	"SELECT s.task, l.id, l.end_ns - l.start_ns FROM span s JOIN metric m ON m.id = s.metric JOIN period p "
	"JOIN slice l ON l.id BETWEEN s.first AND ifnull(s.last, p.last) WHERE m.name = 'task.running') "
	"SELECT t.process_comm, r.slice, 100.0 * sum(r.ns) / (l.end_ns - l.start_ns) "
	"FROM ran r JOIN thread t ON t.task = r.task JOIN " WHOLE " l ON l.id = r.slice "
	"WHERE NOT t.own GROUP BY t.process_comm, r.slice";

static const char machine_sql[] =
	"SELECT 'busy', slice, sum(value) / count(DISTINCT resource) FROM level JOIN " WHOLE " l ON l.id = slice "
	"WHERE metric IN ('cpu.user', 'cpu.nice', 'cpu.system', 'cpu.irq', 'cpu.softirq', 'cpu.steal') GROUP BY slice";

/* The 99th percentile of each slice's waits for a CPU. */
static int add_latency(struct comparison *c, int side, struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;
	uint64_t counts[HISTOGRAM_BUCKETS] = {0};
	int64_t slice = 0;
	int r = query_new(s, "SELECT slice, bucket, sum(count) FROM latency JOIN " WHOLE " l ON l.id = slice "
			     "WHERE metric = 'runqueue.latency' "
			     "GROUP BY slice, bucket ORDER BY slice", &q);

	while (r >= 0 && (r = query_next(q)) > 0) {
		if (query_int(q, 0) != slice && slice) {
			add(c, side, COMPARE_LATENCY, "run queue p99", (double)histogram_quantile(counts, 0.99) / 1e3);
			memset(counts, 0, sizeof(counts));
		}
		slice = query_int(q, 0);
		if (query_int(q, 1) >= 0 && query_int(q, 1) < HISTOGRAM_BUCKETS)
			counts[query_int(q, 1)] = (uint64_t)query_int(q, 2);
	}
	if (slice)
		add(c, side, COMPARE_LATENCY, "run queue p99", (double)histogram_quantile(counts, 0.99) / 1e3);
	return r;
}

/* Per cent of a CPU that each function itself took: its samples of a slice are one value. */
static int add_functions(struct comparison *c, int side, struct store *s)
{
	_cleanup_(stack_view_freep) struct stack_view *view = NULL;
	_cleanup_(query_freep) struct query *q = NULL;
	_cleanup_(intern_freep) struct intern *names = intern_new();
	_cleanup_free_ double *sums = NULL;
	uint32_t capacity = 0;
	int64_t slice = 0;
	int r = stack_view_new(s, &view);

	if (r >= 0)
		r = query_new(s, "SELECT s.slice, s.stack, 100.0 * sum(s.ns) / (l.end_ns - l.start_ns) FROM cpu_sample s "
				 "JOIN " WHOLE " l ON l.id = s.slice JOIN thread t ON t.task = s.task WHERE NOT t.own "
				 "GROUP BY s.slice, s.stack ORDER BY s.slice", &q);
	for (bool more = true; r >= 0 && more;) {
		bool is_new;
		size_t depth;

		r = query_next(q);
		more = r > 0;
		if (slice && (!more || query_int(q, 0) != slice)) {
			for (uint32_t i = 0; i < intern_count(names); i++) {
				if (sums[i] > 0)
					add(c, side, COMPARE_FUNCTION, intern_key(names, i, NULL), sums[i]);
				sums[i] = 0;
			}
		}
		if (!more)
			break;
		slice = query_int(q, 0);
		const struct stack_frame *const *frames = stack_view_walk(view, (uint32_t)query_int(q, 1), &depth);
		if (!depth)
			continue;
		const char *name = frames[depth - 1]->name;
		uint32_t id = intern_id(names, name, strlen(name), &is_new);
		if (is_new) {
			GROW(sums, id, capacity);
			sums[id] = 0;
		}
		sums[id] += query_real(q, 2);
	}
	return r;
}

static int read_side(struct comparison *c, int side, struct store *s)
{
	int64_t slices;
	int r = query_one_int(s, "SELECT count(*) FROM " WHOLE, 0, &slices);

	if (r < 0)
		return r;
	if (slices < COMPARE_LEAST_SLICES)
		return failx(-EINVAL, "%s: %lld slices are too few to tell a change from noise (at least %d)",
			     store_path(s), (long long)slices, COMPARE_LEAST_SLICES);
	c->slices[side] = (size_t)slices;
	if ((r = add_rows(c, side, COMPARE_MACHINE, s, machine_sql)) < 0 ||
	    (r = add_rows(c, side, COMPARE_PROCESS, s, process_sql)) < 0 || (r = add_latency(c, side, s)) < 0)
		return r;
	return add_functions(c, side, s);
}

static double mean(const struct series *s, size_t slices)
{
	return s->sum / (double)slices;
}

/* Square of the mean's standard error. */
static double error2(const struct series *s, size_t slices)
{
	double n = (double)slices, m = mean(s, slices), variance = (s->squares - n * m * m) / (n - 1);

	return variance > 0 ? variance / n : 0;
}

static double sigma_of(const struct quantity *q, const size_t slices[SIDES])
{
	double difference = mean(&q->side[AFTER], slices[AFTER]) - mean(&q->side[BEFORE], slices[BEFORE]);
	double error = sqrt(error2(&q->side[BEFORE], slices[BEFORE]) + error2(&q->side[AFTER], slices[AFTER]));

	/* Two series without any noise: the difference itself decides. */
	return error > 0 ? difference / error : difference == 0 ? 0 : copysign(INFINITY, difference);
}

static bool judge(enum compare_kind kind, struct compare_change *change)
{
	double difference = change->after - change->before, size = fabs(difference);

	if (fabs(change->sigma) < LEAST_SIGMA || size < kinds[kind].least || size < LEAST_SHARE * change->before)
		return false;
	change->severity = difference < 0 ? SEVERITY_INFO :
			   size >= kinds[kind].critical && size >= CRITICAL_SHARE * change->before ?
			   SEVERITY_CRITICAL : SEVERITY_WARNING;
	return true;
}

static int worst_first(const void *a, const void *b)
{
	const struct compare_change *x = a, *y = b;
	double dx = x->after - x->before, dy = y->after - y->before;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (fabs(dx) != fabs(dy))
		return fabs(dx) > fabs(dy) ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void collect(struct compare *result, const struct comparison *c)
{
	result->compared = intern_count(c->names);
	result->changes = arena_alloc(result->arena, result->compared * sizeof(*result->changes));
	for (uint32_t id = 0; id < intern_count(c->names); id++) {
		const struct quantity *q = &c->quantities[id];
		size_t len;
		const char *key = intern_key(c->names, id, &len);
		enum compare_kind kind = (enum compare_kind)key[0];
		struct compare_change change = {
			.kind = kind, .unit = kinds[kind].unit, .before = mean(&q->side[BEFORE], c->slices[BEFORE]),
			.after = mean(&q->side[AFTER], c->slices[AFTER]), .sigma = sigma_of(q, c->slices)};

		if (!judge(kind, &change))
			continue;
		change.name = arena_strndup(result->arena, key + 1, len - 1);
		result->regressions += change.severity > SEVERITY_INFO;
		result->worst = change.severity > result->worst ? change.severity : result->worst;
		result->changes[result->count++] = change;
	}
	if (result->count)
		qsort(result->changes, result->count, sizeof(*result->changes), worst_first);
}

int compare_new(struct store *before, struct store *after, struct compare **ret_compare)
{
	struct comparison c = {.names = intern_new()};
	int r = read_side(&c, BEFORE, before);

	if (r >= 0)
		r = read_side(&c, AFTER, after);
	if (r >= 0) {
		struct compare *result = xcalloc(1, sizeof(*result));

		result->arena = arena_new();
		result->slices_before = c.slices[BEFORE];
		result->slices_after = c.slices[AFTER];
		collect(result, &c);
		*ret_compare = result;
		r = 0;
	}
	intern_free(c.names);
	free(c.quantities);
	return r;
}

void compare_free(struct compare *c)
{
	if (!c)
		return;
	arena_free(c->arena);
	free(c);
}

json_t *compare_json(const struct compare *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->count; i++) {
		const struct compare_change *change = &c->changes[i];

		json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:f, s:f, s:o, s:s, s:s}",
			"kind", compare_kind_name(change->kind), "name", json_text(change->name), "unit", change->unit,
			"before", change->before, "after", change->after,
			"sigma", isfinite(change->sigma) ? json_real(change->sigma) : json_null(),
			"verdict", change->after > change->before ? "regression" : "improvement",
			"severity", severity_name(change->severity)));
	}
	return json_pack("{s:s, s:I, s:I, s:I, s:o}", "schema", "perfscope.compare/1", "compared",
			 (json_int_t)c->compared, "slices_before", (json_int_t)c->slices_before, "slices_after",
			 (json_int_t)c->slices_after, "changes", list);
}
