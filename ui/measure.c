// SPDX-License-Identifier: BSD-2-Clause
#include "measure.h"

#include <math.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "window.h"

enum { PERCENT = 100 };

static bool of_samples(const struct measure *m)
{
	return m->how >= VALUE_RATE;
}

static double gauge_value(const struct window *w, const struct measure *m, uint32_t resource)
{
	double seconds = (double)window_ns(w) / NS_PER_S;
	uint64_t quantile;

	switch (m->how) {
	case MEAN: return window_level(w, m->metric, resource);
	case RATE: return window_level_sum(w, m->metric, resource) / seconds;
	case SUM: return window_level_sum(w, m->metric, resource);
	case LAST: return window_level_last(w, m->metric, resource);
	case QUANTILE:
		quantile = window_quantile(w, m->metric, resource, m->share);
		return quantile ? (double)quantile : NAN;
	default: return 0;
	}
}

/* Sums of counts and values, turned into what the column shows. */
static double sample_value(const struct window *w, const struct measure *m, double count, double value)
{
	double ns = (double)window_ns(w);

	switch (m->how) {
	case VALUE_RATE: return value * NS_PER_S / ns;
	case COUNT_RATE: return count * NS_PER_S / ns;
	case VALUE_PERCENT: return PERCENT * value / ns;
	case VALUE_MEAN: return count > 0 ? value / count : NAN;
	default: return value;
	}
}

struct sums {
	const struct screen_context *context;
	struct table *table;
	const struct measure *measures;
	const char *kind;
	double (*counts)[RECORD_NUMBERS]; /* of samples, beside the records' numbers */
	uint32_t counted, capacity;
	bool by_process;
};

static struct record *record_of(struct sums *s, uint32_t process, uint32_t resource)
{
	struct record *r = table_get(s->table, ((uint64_t)process << 32 | resource) + 1);

	r->process = process;
	r->resource = resource;
	r->text[0] = window_resource(s->context->window, resource)->name;
	if (s->table->count > s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 64;
		s->counts = xrealloc(s->counts, s->capacity * sizeof(*s->counts));
	}
	if (s->table->count > s->counted)
		memset(s->counts[s->counted++], 0, sizeof(*s->counts));
	return r;
}

static void add_sample(struct sums *s, int number, const struct ledger_row *row)
{
	const struct window *w = s->context->window;
	const struct window_thread *t = window_find(w, row->key[BY_TASK]);
	const struct window_process *p = t ? window_process(w, t->process) : NULL;

	struct record *r;

	if (s->by_process && !p)
		return;
	r = record_of(s, s->by_process ? p->id : 0, s->kind && !*s->kind ? 0 : row->key[BY_RESOURCE]);
	if (s->by_process && !r->text[1]) {
		r->text[1] = p->comm;
		r->text[2] = table_text(s->table, "%u", p->pid);
		r->dim = p->kernel || p->own || p->ended;
	}
	r->number[number] += (double)row->value;
	s->counts[r - s->table->records][number] += (double)row->count;
}

static bool is_of_kind(const struct window *w, uint32_t resource, const char *kind)
{
	return !kind || !*kind || !strcmp(window_resource(w, resource)->kind, kind);
}

static void add_samples(struct sums *s)
{
	const struct window *w = s->context->window;
	const struct ledger_row *row;

	for (int i = 0; s->measures[i].metric; i++) {
		uint32_t metric = of_samples(&s->measures[i]) ? window_metric_id(w, s->measures[i].metric) : 0, cursor = 0;

		while ((row = window_next_sample(w, metric, &cursor)))
			if (is_of_kind(w, row->key[BY_RESOURCE], s->kind) && focus_has(&s->context->focus, w, row))
				add_sample(s, i, row);
	}
	for (uint32_t i = 0; i < s->table->count; i++)
		for (int k = 0; s->measures[k].metric; k++)
			if (of_samples(&s->measures[k]))
				s->table->records[i].number[k] = sample_value(w, &s->measures[k], s->counts[i][k],
									      s->table->records[i].number[k]);
}

static void sums_done(struct sums *s)
{
	free(s->counts);
}

/* Resources with gauges or histograms in the window; who has samples is met when they are added. */
static bool *known_resources(const struct window *w, const struct measure *measures)
{
	bool *known = xcalloc(window_resource_count(w) + 1, sizeof(*known));

	for (; measures->metric; measures++)
		if (!of_samples(measures))
			window_mark_resources(w, measures->metric, known);
	return known;
}

void measure_resources(const struct screen_context *c, struct table *t, const char *kind, const struct measure *measures)
{
	const struct window *w = c->window;
	_cleanup_(sums_done) struct sums s = {.context = c, .table = t, .measures = measures, .kind = kind};

	_cleanup_free_ bool *known = known_resources(w, measures);

	if (!window_ns(w))
		return;
	for (uint32_t id = 1; id < window_resource_count(w); id++)
		if (known[id] && is_of_kind(w, id, kind) && (!c->focus.resource || c->focus.resource == id))
			record_of(&s, 0, id);
	add_samples(&s);
	for (uint32_t i = 0; i < t->count; i++)
		for (int k = 0; measures[k].metric; k++)
			if (!of_samples(&measures[k]))
				t->records[i].number[k] = gauge_value(w, &measures[k], t->records[i].resource);
}

void measure_processes(const struct screen_context *c, struct table *t, const char *kind, const struct measure *measures)
{
	_cleanup_(sums_done) struct sums s = {.context = c, .table = t, .measures = measures, .kind = kind, .by_process = true};

	if (window_ns(c->window))
		add_samples(&s);
}
