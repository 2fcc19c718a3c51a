// SPDX-License-Identifier: BSD-2-Clause
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "store_query.h"
#include "store_write.h"
#include "window_internal.h"

/* Gauges that are left out while they are as they were (docs/recording.md). */
static bool is_lasting(const char *name)
{
	static const char *const patterns[] = {
		"memory.total", "memory.available", "memory.cached", "memory.anonymous", "memory.shared", "memory.slab",
		"memory.dirty", "memory.writeback", "memory.commit*", "swap.total", "swap.free", "disk.size", "filesystem.*",
		"interface.speed", "limit.*", "process.files*", "cgroup.quota", "cgroup.memory", "cgroup.memory_limit",
		"tcp.established",
	};

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		if (!fnmatch(patterns[i], name, 0))
			return true;
	return false;
}

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
			.lasting = is_lasting(name), .resident = !strcmp(name, "memory.resident")};
		map_put(w->metric_index, hash_bytes(name, strlen(name)), w->metric_count - 1);
	}
	return r;
}

enum { MOST_RESOURCES = 1 << 22, NAMED_AFTER = 16 };

/* What is shown may still point to it. */
static void keep_former(struct window *w, char *text)
{
	GROW(w->former_names, w->former_count, w->former_capacity);
	w->former_names[w->former_count++] = text;
}

static void rename_resource(struct window *w, struct window_resource *resource, const char *name)
{
	if (!strcmp(resource->name, name))
		return;
	keep_former(w, resource->name);
	resource->name = xstrdup(name);
}

static void add_resource(struct window *w, uint32_t id, const char *kind, const char *name)
{
	/* Ids are dense; what a damaged recording leaves out has no name. */
	while (w->resource_count <= id) {
		GROW(w->resources, w->resource_count, w->resource_capacity);
		w->resources[w->resource_count++] = (struct window_resource){0};
	}
	w->resources[id] = (struct window_resource){xstrdup(kind), xstrdup(name)};
	if (strcmp(kind, "cpu"))
		return;
	GROW(w->cpus, w->cpu_count, w->cpu_capacity);
	w->cpus[w->cpu_count++] = id;
}

/* Their ids stand for other things from now on, the lowest first. */
static int list_holes(struct window *w)
{
	_cleanup_(query_freep) struct query *q = NULL;
	_cleanup_free_ bool *gone = xcalloc(w->resource_count + 1, sizeof(*gone));
	uint32_t capacity = 0;
	int r = query_new(w->store, "SELECT id FROM main.resource", &q);

	for (uint32_t id = 0; id < w->resource_count; id++)
		gone[id] = w->resources[id].name;
	while (r >= 0 && (r = query_next(q)) > 0)
		if (query_int(q, 0) > 0 && query_int(q, 0) < w->resource_count)
			gone[query_int(q, 0)] = false;
	for (uint32_t i = w->next_hole; i < w->hole_count; i++)
		gone[w->holes[i]] = true;
	free(w->holes);
	w->holes = NULL;
	w->hole_count = w->next_hole = 0;
	for (uint32_t id = 1; id < w->resource_count && r >= 0; id++) {
		if (!gone[id])
			continue;
		GROW(w->holes, w->hole_count, capacity);
		w->holes[w->hole_count++] = id;
	}
	return r;
}

/* What was shown before the last time may have pointed to the names that are freed here. */
static int forget_resources(struct window *w)
{
	uint32_t times = store_forgotten_resources(w->store);
	int r;

	if (times == w->resources_forgotten)
		return 0;
	w->resources_forgotten = times;
	while (w->former_count)
		free(w->former_names[--w->former_count]);
	if ((r = list_holes(w)) < 0)
		return r;
	for (uint32_t i = 0; i < w->hole_count; i++) {
		struct window_resource *resource = &w->resources[w->holes[i]];

		if (!resource->name)
			continue;
		keep_former(w, resource->name);
		keep_former(w, resource->kind);
		*resource = (struct window_resource){0};
	}
	window_forget_levels(w);
	return 0;
}

/* Locks are named when their file has been read: those of the last slices are looked at again. */
static int read_resources(struct window *w)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(w->store, "SELECT id, kind, name FROM main.resource WHERE id >= :named AND (id >= :first OR kind = 'futex') "
			  "ORDER BY id", &q);

	if (r < 0)
		return r;
	query_bind_int(q, ":named", w->resources_named ? w->resources_named : 1);
	query_bind_int(q, ":first", w->resource_count ? w->resource_count : 1);
	while ((r = query_next(q)) > 0) {
		int64_t id = query_int(q, 0);

		if (id < 1 || id > MOST_RESOURCES)
			continue;
		if (id < w->resource_count && w->resources[id].name)
			rename_resource(w, &w->resources[id], query_text(q, 2));
		else
			add_resource(w, (uint32_t)id, query_text(q, 1), query_text(q, 2));
	}
	if (++w->resource_reads % NAMED_AFTER == 0) {
		w->resources_named = w->resources_to_name;
		w->resources_to_name = w->resource_count;
	}
	return r;
}

/* Its final name may come later, if it is a lock. */
static void refill(struct window *w, uint32_t id, const char *kind, const char *name)
{
	add_resource(w, id, kind, name);
	if (strcmp(kind, "futex"))
		return;
	w->resources_named = id < w->resources_named ? id : w->resources_named;
	w->resources_to_name = id < w->resources_to_name ? id : w->resources_to_name;
}

static int fill_holes(struct window *w)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r;

	if (w->next_hole == w->hole_count)
		return 0;
	r = query_new(w->store, "SELECT kind, name FROM main.resource WHERE id = :id", &q);
	for (; r >= 0 && w->next_hole < w->hole_count; w->next_hole++) {
		query_bind_int(q, ":id", w->holes[w->next_hole]);
		r = query_next(q);
		if (r > 0)
			refill(w, w->holes[w->next_hole], query_text(q, 0), query_text(q, 1));
		query_reset(q);
		if (r == 0)
			break;
	}
	return r;
}

int window_read_names(struct window *w)
{
	int r = read_metrics(w);

	if (r < 0 || (r = forget_resources(w)) < 0 || (r = fill_holes(w)) < 0)
		return r;
	return read_resources(w);
}

void window_names_done(struct window *w)
{
	for (uint32_t i = 0; i < w->metric_count; i++) {
		free(w->metrics[i].name);
		ledger_done(&w->metrics[i].samples);
		ledger_done(&w->metrics[i].edges);
		ledger_done(&w->metrics[i].latencies);
	}
	for (uint32_t i = 0; i < w->resource_count; i++) {
		free(w->resources[i].kind);
		free(w->resources[i].name);
	}
	for (uint32_t i = 0; i < w->former_count; i++)
		free(w->former_names[i]);
	for (uint32_t i = 0; i < w->level_count; i++)
		free(w->levels[i].course);
	free(w->former_names);
	free(w->holes);
	free(w->metrics);
	free(w->resources);
	free(w->cpus);
	free(w->levels);
	map_free(w->level_index);
	map_free(w->metric_index);
}

static int compare_metric(const void *key, const void *element)
{
	uint32_t id = *(const uint32_t *)key, other = ((const struct metric *)element)->id;

	return (id > other) - (id < other);
}

struct metric *window_metric(const struct window *w, uint32_t id)
{
	return w->metric_count ? bsearch(&id, w->metrics, w->metric_count, sizeof(*w->metrics), compare_metric) : NULL;
}

uint32_t window_metric_id(const struct window *w, const char *name)
{
	uint64_t index;

	if (!map_get(w->metric_index, hash_bytes(name, strlen(name)), &index) || strcmp(w->metrics[index].name, name))
		return 0;
	return w->metrics[index].id;
}

uint32_t window_next_metric(const struct window *w, uint32_t *cursor)
{
	return *cursor < w->metric_count ? w->metrics[(*cursor)++].id : 0;
}

const char *window_metric_name(const struct window *w, uint32_t id)
{
	const struct metric *metric = window_metric(w, id);

	return metric ? metric->name : "";
}

const struct window_resource *window_resource(const struct window *w, uint32_t id)
{
	static const struct window_resource none = {.kind = "", .name = ""};

	return id < w->resource_count && w->resources[id].kind ? &w->resources[id] : &none;
}

uint32_t window_resource_count(const struct window *w)
{
	return w->resource_count;
}

static uint32_t cpu_number(const struct window *w, uint32_t i)
{
	return (uint32_t)strtoul(w->resources[w->cpus[i]].name, NULL, 10);
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
		cpus[count++] = cpu_number(w, i);
	qsort(cpus, count, sizeof(*cpus), compare_cpu);
	return count;
}

uint32_t window_cpu_resource(const struct window *w, uint32_t cpu)
{
	for (uint32_t i = 0; i < w->cpu_count; i++)
		if (cpu_number(w, i) == cpu)
			return w->cpus[i];
	return 0;
}
