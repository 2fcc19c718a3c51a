// SPDX-License-Identifier: BSD-2-Clause
/* What was written since the last look: slices and which rows are theirs, spans, names, the course of levels. */
#include "mem.h"
#include "stack_view.h"
#include "store_query.h"
#include "window_internal.h"

static const char *const stream_tables[STREAMS] = {
	[SAMPLES] = "sample", [EDGES] = "edge", [LEVELS] = "gauge", [LATENCIES] = "histogram",
};

struct slice *window_slice(const struct window *w, uint32_t id)
{
	return id >= w->oldest && id - w->oldest < w->slice_count ? &w->slices[id - w->oldest] : NULL;
}

static int follow_slices(struct window *w)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(w->store, "SELECT id, start_ns, end_ns FROM main.slice WHERE id > :seen ORDER BY id", &q);

	if (r < 0)
		return r;
	query_bind_int(q, ":seen", window_newest(w));
	while ((r = query_next(q)) > 0) {
		uint32_t id = (uint32_t)query_int(q, 0);

		if (!w->slice_count)
			w->oldest = id;
		/* A gap in a damaged recording: slices without rows. */
		while (window_newest(w) + 1 < id && w->slice_count && id - w->oldest < 1 << 20) {
			GROW(w->slices, w->slice_count, w->slice_capacity);
			w->slices[w->slice_count++] = (struct slice){0};
		}
		GROW(w->slices, w->slice_count, w->slice_capacity);
		w->slices[w->slice_count++] = (struct slice){.start_ns = (uint64_t)query_int(q, 1),
							      .end_ns = (uint64_t)query_int(q, 2)};
	}
	return r;
}

static int follow_stream(struct window *w, enum stream stream)
{
	_cleanup_(query_freep) struct query *q = NULL;
	_cleanup_free_ char *sql = xasprintf("SELECT slice, min(rowid), max(rowid) FROM main.%s "
		"WHERE rowid > :seen AND slice <= :newest GROUP BY slice", stream_tables[stream]);
	int r = query_new(w->store, sql, &q);

	if (r < 0)
		return r;
	query_bind_int(q, ":seen", w->seen[stream]);
	query_bind_int(q, ":newest", window_newest(w));
	while ((r = query_next(q)) > 0) {
		struct slice *slice = window_slice(w, (uint32_t)query_int(q, 0));
		int64_t end = query_int(q, 2) + 1;

		if (slice)
			slice->rows[stream] = (struct rows){query_int(q, 1), end};
		if (end > w->seen[stream])
			w->seen[stream] = end - 1;
	}
	return r;
}

static int follow_open_spans(struct window *w)
{
	int r = 0;

	for (uint32_t i = 0; i < w->span_count && r >= 0; i++) {
		struct span *span = &w->spans[i];

		if (span->last)
			continue;
		query_bind_int(w->ask_span, ":id", span->id);
		r = query_next(w->ask_span);
		if (r > 0)
			span->last = (uint32_t)query_int(w->ask_span, 0);
		else if (r == 0)
			*span = (struct span){.id = span->id, .first = UINT32_MAX, .last = 1}; /* taken back */
		query_reset(w->ask_span);
	}
	return r;
}

static int follow_new_spans(struct window *w)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(w->store, "SELECT id, first, last, metric, task, stack, resource FROM main.span WHERE id > :seen", &q);

	if (r < 0)
		return r;
	query_bind_int(q, ":seen", w->seen_span);
	while ((r = query_next(q)) > 0) {
		const struct metric *metric = window_metric(w, (uint32_t)query_int(q, 3));

		w->seen_span = (uint32_t)query_int(q, 0);
		if (!metric)
			continue;
		GROW(w->spans, w->span_count, w->span_capacity);
		w->spans[w->span_count++] = (struct span){
			.id = w->seen_span, .first = (uint32_t)query_int(q, 1), .last = (uint32_t)query_int(q, 2),
			.metric = metric->id, .task = (uint32_t)query_int(q, 4), .stack = (uint32_t)query_int(q, 5),
			.resource = (uint32_t)query_int(q, 6), .state = metric->state};
	}
	return r;
}

/* The course of levels is noted as they come, whatever is shown. */
static int follow_levels(struct window *w, uint32_t seen)
{
	struct query *q = w->rows[LEVELS];
	int r = 0;

	for (uint32_t id = seen + 1; id <= window_newest(w) && r >= 0; id++) {
		const struct slice *slice = window_slice(w, id);

		if (!slice || window_newest(w) - id >= SERIES_SLICES)
			continue;
		query_bind_int(q, ":first", slice->rows[LEVELS].first);
		query_bind_int(q, ":end", slice->rows[LEVELS].end);
		while ((r = query_next(q)) > 0)
			window_note_level(w, id, (uint32_t)query_int(q, 0), (uint32_t)query_int(q, 1), query_real(q, 2));
		query_reset(q);
	}
	return r;
}

int window_follow(struct window *w)
{
	uint32_t seen = window_newest(w);
	int r;

	if ((r = window_read_names(w)) < 0 || (r = follow_slices(w)) < 0 || (r = follow_open_spans(w)) < 0 ||
	    (r = follow_new_spans(w)) < 0)
		return r;
	for (enum stream i = 0; i < STREAMS; i++)
		if ((r = follow_stream(w, i)) < 0)
			return r;
	r = follow_levels(w, seen);
	return r < 0 ? r : stack_view_follow(w->stacks);
}
