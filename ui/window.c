// SPDX-License-Identifier: BSD-2-Clause
#include "window.h"

#include <string.h>

#include "clock.h"
#include "mem.h"
#include "stack_view.h"
#include "store_query.h"
#include "window_internal.h"

enum { FEW_SLICES = 30, MANY_THREADS = 10000, MOST_ENDED = 50000 };

static const char *const stream_rows[STREAMS] = {
	[SAMPLES] = "SELECT metric, task, stack, resource, count, value FROM main.sample WHERE rowid >= :first AND rowid < :end",
	[EDGES] = ("SELECT kind, task, stack, resource, other_task, other_stack, count, ns FROM main.edge "
		   "WHERE rowid >= :first AND rowid < :end"),
	[LEVELS] = "SELECT metric, resource, value FROM main.gauge WHERE rowid >= :first AND rowid < :end",
	[LATENCIES] = "SELECT metric, resource, bucket, count FROM main.histogram WHERE rowid >= :first AND rowid < :end",
};

int window_new(struct store *s, window_facts *facts, void *arg, struct window **ret_window)
{
	_cleanup_(window_freep) struct window *w = xcalloc(1, sizeof(*w));
	int r;

	w->store = s;
	w->facts = facts;
	w->facts_arg = arg;
	for (int i = 0; i < STREAMS; i++)
		if ((r = query_new(s, stream_rows[i], &w->rows[i])) < 0)
			return r;
	if ((r = query_new(s, "SELECT last FROM main.span WHERE id = :id", &w->ask_span)) < 0 ||
	    (r = window_prepare_tasks(w)) < 0 || (r = stack_view_new(s, &w->stacks)) < 0)
		return r;
	w->level_index = map_new();
	w->metric_index = map_new();
	*ret_window = w;
	w = NULL;
	return 0;
}

void window_free(struct window *w)
{
	if (!w)
		return;
	for (int i = 0; i < STREAMS; i++)
		query_free(w->rows[i]);
	query_free(w->ask_span);
	window_tasks_done(w);
	window_names_done(w);
	stack_view_free(w->stacks);
	free(w->lasting);
	free(w->spans);
	free(w->slices);
	free(w);
}

static void read_key(struct query *q, uint32_t key[LEDGER_KEYS], int columns)
{
	for (int i = 0; i < LEDGER_KEYS; i++)
		key[i] = i < columns ? (uint32_t)query_int(q, i) : 0;
}

/* The latest that is known of it stays, however the window moves. */
static void note_resident(struct window *w, uint32_t task, uint64_t bytes, uint64_t when)
{
	const struct window_thread *thread = window_find_thread(w, task); /* may make processes grow */
	struct window_process *p = &w->processes[thread->process];

	if (when < p->resident_ns)
		return;
	p->resident = bytes;
	p->resident_ns = when;
}

/* Unsigned sums wrap: what is taken away leaves exactly what was there before it was added. */
static void add_sample(struct window *w, struct query *q, const struct slice *slice, int sign)
{
	uint32_t key[LEDGER_KEYS];
	uint64_t count = (uint64_t)sign * (uint64_t)query_int(q, 4), value = (uint64_t)sign * (uint64_t)query_int(q, 5);
	struct metric *metric;
	struct state_times *t;

	read_key(q, key, 4);
	metric = window_metric(w, key[BY_METRIC]);
	if (!metric)
		return;
	if (metric->resident && sign > 0 && key[BY_TASK])
		note_resident(w, key[BY_TASK], value / (count ? count : 1), slice->end_ns);
	if (metric->state < 0) {
		ledger_add(&metric->samples, key, count, value);
		return;
	}
	if (!key[BY_TASK])
		return;
	t = &window_find_thread(w, key[BY_TASK])->changes;
	t->ns[metric->state] += value;
	if (metric->state == RUNNING)
		t->switches += count;
	if (metric->state == RUNNABLE)
		t->preempted += count;
}

static void add_edge(struct window *w, struct query *q, const struct slice *slice, int sign)
{
	uint32_t key[LEDGER_KEYS];
	struct metric *metric;

	read_key(q, key, 6);
	metric = window_metric(w, key[BY_METRIC]);
	if (metric)
		ledger_add(&metric->edges, key, (uint64_t)sign * (uint64_t)query_int(q, 6),
			   (uint64_t)sign * (uint64_t)query_int(q, 7));
}

static void add_gauge(struct window *w, struct query *q, const struct slice *slice, int sign)
{
	window_add_level(w, (uint32_t)query_int(q, 0), (uint32_t)query_int(q, 1), query_real(q, 2),
			 (double)(slice->end_ns - slice->start_ns), sign);
}

static void add_latency(struct window *w, struct query *q, const struct slice *slice, int sign)
{
	int64_t bucket = query_int(q, 2);
	uint32_t key[LEDGER_KEYS] = {[BY_METRIC] = (uint32_t)query_int(q, 0), [BY_RESOURCE] = (uint32_t)query_int(q, 1),
				    [BY_BUCKET] = (uint32_t)bucket};
	struct metric *metric = window_metric(w, key[BY_METRIC]);

	if (metric && bucket >= 0 && bucket < HISTOGRAM_BUCKETS)
		ledger_add(&metric->latencies, key, (uint64_t)sign * (uint64_t)query_int(q, 3), 0);
}

static int add_slice(struct window *w, uint32_t id, int sign)
{
	static void (*const add[STREAMS])(struct window *w, struct query *q, const struct slice *slice, int sign) = {
		[SAMPLES] = add_sample, [EDGES] = add_edge, [LEVELS] = add_gauge, [LATENCIES] = add_latency,
	};
	const struct slice *slice = window_slice(w, id);
	int r = 0;

	for (int i = 0; slice && i < STREAMS && r >= 0; i++) {
		query_bind_int(w->rows[i], ":first", slice->rows[i].first);
		query_bind_int(w->rows[i], ":end", slice->rows[i].end);
		while ((r = query_next(w->rows[i])) > 0)
			add[i](w, w->rows[i], slice, sign);
		query_reset(w->rows[i]);
	}
	return r;
}

/* Rows that have been added up are gone: nothing can be taken away, all is added up anew. */
static void start_anew(struct window *w)
{
	for (uint32_t i = 0; i < w->thread_count; i++)
		w->threads[i].changes = w->threads[i].times = (struct state_times){0};
	if (w->ended_count >= MANY_THREADS)
		window_drop_ended(w);
	for (uint32_t i = 0; i < w->metric_count; i++) {
		ledger_clear(&w->metrics[i].samples);
		ledger_clear(&w->metrics[i].edges);
		ledger_clear(&w->metrics[i].latencies);
	}
	window_clear_levels(w);
	w->first = w->last = w->least_first = 0;
	w->stale = false;
}

/* With little patience, what takes long is begun at its newest end, where it can be left off. */
static bool is_far(const struct window *w, uint32_t first, uint32_t last)
{
	uint32_t steps = 0;

	if (!w->first || first > w->last || last < w->first)
		return true;
	steps += w->first < first ? first - w->first : 0;
	steps += w->last > last ? w->last - last : last - w->last;
	return steps > (w->patience_ns ? FEW_SLICES : last - first + 1);
}

static int leave(struct window *w, uint32_t first, uint32_t last)
{
	int r = 0;

	while (w->first < first && r >= 0)
		r = add_slice(w, w->first++, -1);
	while (w->last > last && r >= 0)
		r = add_slice(w, w->last--, -1);
	return r;
}

static int move(struct window *w, uint32_t first, uint32_t last)
{
	uint64_t end = clock_mono_ns() + w->patience_ns;
	int r = 0;

	if (first < w->least_first && last >= w->least_first)
		first = w->least_first;
	if (w->stale || is_far(w, first, last))
		start_anew(w);
	if (w->first)
		r = leave(w, first, last);
	else
		w->first = last + 1, w->last = last;
	while (w->last < last && r >= 0)
		r = add_slice(w, ++w->last, 1);
	while (w->first > first && (w->first > last || w->ended_count < MOST_ENDED) && r >= 0) {
		r = add_slice(w, --w->first, 1);
		if (w->patience_ns && clock_mono_ns() > end)
			break;
	}
	w->wanted_first = w->ended_count < MOST_ENDED ? first : w->first;
	for (uint32_t i = 0; i < w->metric_count; i++) {
		ledger_pack(&w->metrics[i].samples);
		ledger_pack(&w->metrics[i].edges);
		ledger_pack(&w->metrics[i].latencies);
	}
	return r;
}

static void add_span(struct window *w, const struct span *span, uint64_t ns)
{
	if (span->state >= 0) {
		window_find_thread(w, span->task)->times.ns[span->state] += ns;
		return;
	}
	GROW(w->lasting, w->lasting_count, w->lasting_capacity);
	w->lasting[w->lasting_count++] = (struct ledger_row){
		.key = {[BY_METRIC] = span->metric, [BY_TASK] = span->task, [BY_STACK] = span->stack,
			[BY_RESOURCE] = span->resource}, .value = ns};
}

static void add_spans(struct window *w)
{
	w->lasting_count = 0;
	for (uint32_t i = 0; i < w->span_count; i++) {
		const struct span *span = &w->spans[i];
		uint32_t first = span->first > w->first ? span->first : w->first;
		uint32_t last = span->last && span->last < w->last ? span->last : w->last;

		if (first <= last && first <= window_newest(w))
			add_span(w, span, window_slice(w, last)->end_ns - window_slice(w, first)->start_ns);
	}
}

static void add_up_processes(struct window *w)
{
	for (uint32_t i = 0; i < w->process_count; i++) {
		w->processes[i].times = (struct state_times){0};
		w->processes[i].threads = 0;
	}
	for (uint32_t i = 0; i < w->thread_count; i++) {
		const struct window_thread *thread = &w->threads[i];
		struct window_process *process = &w->processes[thread->process];

		state_add(&process->times, &thread->times);
		process->threads += state_total(&thread->times) > 0;
	}
}

/* A process that lived for milliseconds takes as much memory here as any other: where they are too many, less of the past is shown. */
static int narrow(struct window *w)
{
	uint32_t slices = w->last - w->first + 1, kept;

	if (w->ended_count < MOST_ENDED)
		return 0;
	kept = (uint32_t)((uint64_t)slices * (MOST_ENDED / 4 * 3) / w->ended_count);
	w->least_first = w->wanted_first = w->last + 1 - (kept ? kept : 1);
	return leave(w, w->wanted_first, w->last);
}

int window_show(struct window *w, uint32_t first, uint32_t last)
{
	int r;

	if (!w->slice_count)
		return 0;
	if (last > window_newest(w))
		last = window_newest(w);
	if (last < w->oldest)
		last = w->oldest;
	if (first < w->oldest)
		first = w->oldest;
	if (first > last)
		first = last;
	if ((r = move(w, first, last)) < 0 || (r = narrow(w)) < 0)
		return r;
	w->shown_end_ns = window_slice(w, last)->end_ns;
	w->shown_ns = w->shown_end_ns - window_slice(w, w->first)->start_ns;
	for (uint32_t i = 0; i < w->thread_count; i++)
		w->threads[i].times = w->threads[i].changes;
	add_spans(w);
	if (w->ended_count >= MOST_ENDED)
		window_drop_ended(w);
	r = window_refresh_tasks(w);
	if (r >= 0)
		add_up_processes(w);
	return r;
}

int window_show_ns(struct window *w, uint32_t last, uint64_t ns)
{
	uint32_t first;

	if (!last || last > window_newest(w))
		last = window_newest(w);
	first = last;
	/* A slice that is a little short must not drag another one in. */
	while (first > w->oldest && window_slice(w, last) &&
	       window_slice(w, last)->end_ns - window_slice(w, first)->start_ns + ns / 20 < ns)
		first--;
	return window_show(w, first, last);
}

void window_set_patience(struct window *w, uint64_t ns)
{
	w->patience_ns = ns;
}

bool window_is_partial(const struct window *w)
{
	return w->first > w->wanted_first;
}

static void forget_slices(struct window *w, uint32_t first)
{
	uint32_t kept = 0, gone = first - w->oldest;

	w->stale |= w->first && w->first < first;
	w->slice_count -= gone;
	memmove(w->slices, w->slices + gone, w->slice_count * sizeof(*w->slices));
	w->oldest = first;
	for (uint32_t i = 0; i < w->span_count; i++)
		if (!w->spans[i].last || w->spans[i].last >= first)
			w->spans[kept++] = w->spans[i];
	w->span_count = kept;
}

/* Who ended is kept as long as there are not many: whose process it was cannot be asked again. */
bool window_forget(struct window *w, uint32_t first)
{
	bool gone;

	if (first > window_newest(w))
		first = window_newest(w);
	gone = w->slice_count && first > w->oldest;
	if (gone)
		forget_slices(w, first);
	if (!gone && w->thread_count < MANY_THREADS)
		return false;
	window_drop_ended(w);
	add_up_processes(w);
	return true;
}

uint32_t window_newest(const struct window *w)
{
	return w->slice_count ? w->oldest + w->slice_count - 1 : 0;
}

uint32_t window_oldest(const struct window *w)
{
	return w->slice_count ? w->oldest : 0;
}

uint32_t window_last(const struct window *w)
{
	return w->last;
}

uint32_t window_slice_before(const struct window *w, uint64_t ns)
{
	uint32_t id = window_newest(w);
	uint64_t end = id ? window_slice(w, id)->end_ns : 0;

	while (id > w->oldest && window_slice(w, id - 1)->start_ns + ns >= end)
		id--;
	return id;
}

uint64_t window_ns(const struct window *w)
{
	return w->shown_ns;
}

uint64_t window_span_ns(const struct window *w, uint32_t first, uint32_t last)
{
	const struct slice *from = window_slice(w, first), *to = window_slice(w, last);

	return from && to && to->end_ns > from->start_ns ? to->end_ns - from->start_ns : 0;
}

uint64_t window_end_ns(const struct window *w)
{
	return w->shown_end_ns;
}

uint64_t window_newest_end_ns(const struct window *w)
{
	return w->slice_count ? w->slices[w->slice_count - 1].end_ns : 0;
}

uint32_t window_slices(const struct window *w)
{
	return w->first ? w->last - w->first + 1 : 0;
}

uint32_t window_thread_count(const struct window *w)
{
	return w->thread_count;
}

const struct window_thread *window_thread(const struct window *w, uint32_t index)
{
	return &w->threads[index];
}

uint32_t window_process_count(const struct window *w)
{
	return w->process_count;
}

const struct window_process *window_process(const struct window *w, uint32_t index)
{
	return &w->processes[index];
}

static const struct ledger_row *next_row(const struct ledger *t, uint32_t *cursor)
{
	while (*cursor < t->count) {
		const struct ledger_row *row = &t->rows[(*cursor)++];

		if (row->count || row->value)
			return row;
	}
	return NULL;
}

const struct ledger_row *window_next_sample(const struct window *w, uint32_t id, uint32_t *cursor)
{
	const struct metric *metric = window_metric(w, id);
	const struct ledger_row *row = metric ? next_row(&metric->samples, cursor) : NULL;

	while (metric && !row && *cursor - metric->samples.count < w->lasting_count) {
		const struct ledger_row *lasting = &w->lasting[(*cursor)++ - metric->samples.count];

		if (lasting->key[BY_METRIC] == id)
			row = lasting;
	}
	return row;
}

const struct ledger_row *window_next_edge(const struct window *w, uint32_t kind, uint32_t *cursor)
{
	const struct metric *metric = window_metric(w, kind);

	return metric ? next_row(&metric->edges, cursor) : NULL;
}

struct stack_view *window_stacks(const struct window *w)
{
	return w->stacks;
}
