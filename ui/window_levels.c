// SPDX-License-Identifier: BSD-2-Clause
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "window_internal.h"

/* A level keeps its place until the thing that is measured is forgotten. */
static struct level *find_level(const struct window *w, uint32_t metric, uint32_t resource)
{
	uint64_t index;

	return metric && map_get(w->level_index, (uint64_t)metric << 32 | resource, &index) ? &w->levels[index] : NULL;
}

static struct level *make_level(struct window *w, uint32_t metric, uint32_t resource)
{
	struct level *level = find_level(w, metric, resource);

	if (level)
		return level;
	GROW(w->levels, w->level_count, w->level_capacity);
	map_put(w->level_index, (uint64_t)metric << 32 | resource, w->level_count);
	level = &w->levels[w->level_count++];
	*level = (struct level){.metric = metric, .resource = resource};
	return level;
}

void window_add_level(struct window *w, uint32_t metric, uint32_t resource, double value, double ns, int sign)
{
	struct level *level = make_level(w, metric, resource);

	level->sum += sign * value;
	level->ns_sum += sign * value * ns;
}

void window_clear_levels(struct window *w)
{
	for (uint32_t i = 0; i < w->level_count; i++)
		w->levels[i].sum = w->levels[i].ns_sum = 0;
}

void window_forget_levels(struct window *w)
{
	uint32_t kept = 0;

	map_free(w->level_index);
	w->level_index = map_new();
	for (uint32_t i = 0; i < w->level_count; i++) {
		struct level level = w->levels[i];

		if (level.resource && !window_resource(w, level.resource)->name[0]) {
			free(level.course);
			continue;
		}
		map_put(w->level_index, (uint64_t)level.metric << 32 | level.resource, kept);
		w->levels[kept++] = level;
	}
	w->level_count = kept;
}

static const struct level *named_level(const struct window *w, const char *metric, uint32_t resource)
{
	return find_level(w, window_metric_id(w, metric), resource);
}

bool window_has_level(const struct window *w, const char *metric, uint32_t resource)
{
	return named_level(w, metric, resource);
}

/* What is left of floating-point sums whose parts have all been taken away again is not a level. */
static double positive(double value)
{
	return value > 1e-6 ? value : 0;
}

double window_level(const struct window *w, const char *metric, uint32_t resource)
{
	const struct level *level = named_level(w, metric, resource);
	uint64_t ns = window_ns(w);

	return level && ns ? positive(level->ns_sum / (double)ns) : 0;
}

double window_level_sum(const struct window *w, const char *metric, uint32_t resource)
{
	const struct level *level = named_level(w, metric, resource);

	return level ? positive(level->sum) : 0;
}

/* Interrupts of each CPU by kind are many, and nobody draws their course. */
static bool has_course(const struct window *w, const struct level *level)
{
	return level->resource == 0 || !strstr(window_resource(w, level->resource)->kind, "irq");
}

static float last_value(const struct window *w, const struct level *level)
{
	const struct metric *metric = window_metric(w, level->metric);

	return metric && metric->lasting && level->newest ? level->course[level->newest % SERIES_SLICES] : 0;
}

void window_note_level(struct window *w, uint32_t slice, uint32_t metric, uint32_t resource, double value)
{
	struct level *level = make_level(w, metric, resource);

	if (!level->course) {
		if (w->level_count > MOST_SERIES || !has_course(w, level))
			return;
		level->course = xcalloc(SERIES_SLICES, sizeof(*level->course));
		level->first = slice;
	}
	if (slice - level->newest > SERIES_SLICES)
		level->newest = level->newest && slice > SERIES_SLICES ? slice - SERIES_SLICES : level->newest;
	for (uint32_t i = level->newest ? level->newest + 1 : slice; i < slice; i++)
		level->course[i % SERIES_SLICES] = last_value(w, level);
	level->course[slice % SERIES_SLICES] = (float)value;
	level->newest = slice;
}

/* Of a slice; NAN before the first. */
static double value_at(const struct window *w, const struct level *level, uint32_t slice)
{
	if (!level || !level->newest || slice < level->first)
		return NAN;
	if (slice > level->newest)
		return (double)last_value(w, level);
	if (level->newest - slice >= SERIES_SLICES)
		return NAN;
	return (double)level->course[slice % SERIES_SLICES];
}

double window_level_last(const struct window *w, const char *metric, uint32_t resource)
{
	return value_at(w, named_level(w, metric, resource), w->last);
}

unsigned window_series_to(const struct window *w, const char *metric, uint32_t resource, uint32_t last, double *values,
			  unsigned most)
{
	const struct level *level = named_level(w, metric, resource);
	uint32_t first = last >= most ? last - most + 1 : 1;
	unsigned count = 0;

	if (first < w->oldest)
		first = w->oldest;
	for (uint32_t slice = first; last && slice <= last; slice++) {
		double value = value_at(w, level, slice);

		values[count++] = isnan(value) ? 0 : value;
	}
	return count;
}

unsigned window_series(const struct window *w, const char *metric, uint32_t resource, double *values, unsigned most)
{
	return window_series_to(w, metric, resource, w->last, values, most);
}

/* A name, or the beginning of names with a "*" behind it. */
struct pattern {
	const char *text;
	size_t prefix; /* 0: it is a name */
	uint32_t id;
};

static struct pattern pattern_of(const struct window *w, const char *metric)
{
	size_t len = strlen(metric);
	bool prefix = len && metric[len - 1] == '*';

	return (struct pattern){metric, prefix ? len - 1 : 0, prefix ? 0 : window_metric_id(w, metric)};
}

static bool is_like(const struct window *w, uint32_t metric, const struct pattern *p)
{
	return p->prefix ? !strncmp(window_metric_name(w, metric), p->text, p->prefix) : metric == p->id;
}

void window_mark_resources(const struct window *w, const char *metric, bool *known)
{
	struct pattern p = pattern_of(w, metric);

	for (uint32_t i = 0; i < w->level_count; i++) {
		const struct level *level = &w->levels[i];

		if (is_like(w, level->metric, &p) && level->resource < w->resource_count &&
		    (positive(level->sum) > 0 || window_metric(w, level->metric)->lasting))
			known[level->resource] = true;
	}
	for (uint32_t m = 0; m < w->metric_count; m++) {
		const struct ledger *latencies = &w->metrics[m].latencies;

		for (uint32_t i = 0; is_like(w, w->metrics[m].id, &p) && i < latencies->count; i++)
			if (latencies->rows[i].count && latencies->rows[i].key[BY_RESOURCE] < w->resource_count)
				known[latencies->rows[i].key[BY_RESOURCE]] = true;
	}
}

static void add_buckets(const struct window *w, const char *metric, uint32_t resource,
			uint64_t counts[HISTOGRAM_BUCKETS])
{
	struct pattern p = pattern_of(w, metric);

	for (uint32_t m = 0; m < w->metric_count; m++) {
		const struct ledger *latencies = &w->metrics[m].latencies;

		for (uint32_t i = 0; is_like(w, w->metrics[m].id, &p) && i < latencies->count; i++)
			if (!resource || latencies->rows[i].key[BY_RESOURCE] == resource)
				counts[latencies->rows[i].key[BY_BUCKET]] += latencies->rows[i].count;
	}
}

uint64_t window_quantile(const struct window *w, const char *metric, uint32_t resource, double share)
{
	uint64_t counts[HISTOGRAM_BUCKETS] = {0};

	add_buckets(w, metric, resource, counts);
	return histogram_quantile(counts, share);
}
