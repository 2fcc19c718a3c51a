// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "store_query.h"
#include "window_internal.h"

static int read_metrics(struct window *w)
{
	_cleanup_(query_freep) struct query *q = NULL;
	uint32_t seen = w->metric_count ? w->metrics[w->metric_count - 1].id : 0;
	int r = query_new(w->store, "SELECT id, name FROM main.metric WHERE id > :seen ORDER BY id", &q);

	if (r < 0)
		return r;
	query_bind_int(q, ":seen", seen);
	while ((r = query_next(q)) > 0) {
		const char *name = query_text(q, 1);

		GROW(w->metrics, w->metric_count, w->metric_capacity);
		w->metrics[w->metric_count++] = (struct metric){
			.id = (uint32_t)query_int(q, 0), .name = xstrdup(name), .state = state_of_metric(name),
			.latency = !strcmp(name, "runqueue.latency")};
	}
	return r;
}

static int read_cpus(struct window *w)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(w->store, "SELECT id, kind, name FROM main.resource WHERE id > :seen ORDER BY id", &q);

	if (r < 0)
		return r;
	query_bind_int(q, ":seen", w->seen_resource);
	while ((r = query_next(q)) > 0) {
		w->seen_resource = (uint32_t)query_int(q, 0);
		if (strcmp(query_text(q, 1), "cpu"))
			continue;
		GROW(w->cpus, w->cpu_count, w->cpu_capacity);
		w->cpus[w->cpu_count++] = (struct cpu_resource){w->seen_resource,
								(uint32_t)query_int(q, 2)};
	}
	return r;
}

int window_read_names(struct window *w)
{
	int r = read_metrics(w);

	return r < 0 ? r : read_cpus(w);
}

static int compare_metric(const void *key, const void *element)
{
	uint32_t id = *(const uint32_t *)key, other = ((const struct metric *)element)->id;

	return (id > other) - (id < other);
}

const struct metric *window_metric(struct window *w, uint32_t id)
{
	return w->metric_count ? bsearch(&id, w->metrics, w->metric_count, sizeof(*w->metrics), compare_metric) : NULL;
}

/* One for each metric of each CPU: few enough to look at in turn. */
static struct level *find_level(const struct window *w, uint32_t metric, uint32_t resource)
{
	for (uint32_t i = 0; i < w->level_count; i++)
		if (w->levels[i].metric == metric && w->levels[i].resource == resource)
			return &w->levels[i];
	return NULL;
}

void window_add_level(struct window *w, uint32_t metric, uint32_t resource, double value, double ns, int sign)
{
	struct level *level = find_level(w, metric, resource);

	if (!level) {
		GROW(w->levels, w->level_count, w->level_capacity);
		level = &w->levels[w->level_count++];
		*level = (struct level){.metric = metric, .resource = resource};
	}
	level->sum += sign * value;
	level->ns_sum += sign * value * ns;
}

static uint32_t metric_id(const struct window *w, const char *name)
{
	for (uint32_t i = 0; i < w->metric_count; i++)
		if (!strcmp(w->metrics[i].name, name))
			return w->metrics[i].id;
	return 0;
}

static const struct level *named_level(const struct window *w, const char *metric, int cpu)
{
	uint32_t resource = 0;

	for (uint32_t i = 0; cpu >= 0 && i < w->cpu_count; i++)
		if (w->cpus[i].cpu == (uint32_t)cpu)
			resource = w->cpus[i].resource;
	return cpu >= 0 && !resource ? NULL : find_level(w, metric_id(w, metric), resource);
}

/* What is left of floating-point sums whose parts have all been taken away again is not a level. */
static double positive(double value)
{
	return value > 1e-6 ? value : 0;
}

double window_level(const struct window *w, const char *metric, int cpu)
{
	const struct level *level = named_level(w, metric, cpu);
	uint64_t ns = window_ns(w);

	return level && ns ? positive(level->ns_sum / (double)ns) : 0;
}

double window_level_sum(const struct window *w, const char *metric)
{
	const struct level *level = named_level(w, metric, -1);

	return level ? positive(level->sum) : 0;
}

static int compare_cpu(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

uint32_t window_cpus(const struct window *w, uint32_t *cpus, uint32_t most)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->cpu_count && count < most; i++)
		cpus[count++] = w->cpus[i].cpu;
	qsort(cpus, count, sizeof(*cpus), compare_cpu);
	return count;
}

uint64_t window_latency(const struct window *w, double share)
{
	return histogram_quantile(w->latency, share);
}
