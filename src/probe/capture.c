// SPDX-License-Identifier: BSD-2-Clause
#include "capture.h"

#include <string.h>

#include "histogram.h"
#include "intern.h"
#include "mem.h"
#include "past.h"
#include "resources.h"
#include "tally.h"

struct sum_key {
	uint32_t metric, task, stack, resource;
};

struct sum {
	uint64_t count;
	int64_t value;
};

struct latency_key {
	uint32_t metric, resource, bucket;
};

struct aggregate {
	struct intern *keys; /* of the open slice */
	struct sum *sums;    /* by key id */
	uint32_t capacity;
	struct tally latencies; /* likewise */
	struct resources *resources;
	uint32_t last_span;
};

void capture_init(struct capture *c)
{
	c->aggregate = xcalloc(1, sizeof(*c->aggregate));
	c->aggregate->keys = intern_new();
	c->aggregate->resources = resources_new(c->store);
	c->waits_link = -1;
}

void capture_done(struct capture *c)
{
	if (!c->aggregate)
		return;
	past_free(c->past);
	c->past = NULL;
	askers_done(&c->syncers);
	disk_sets_done(&c->disk_sets);
	intern_free(c->aggregate->keys);
	tally_done(&c->aggregate->latencies);
	resources_free(c->aggregate->resources);
	free(c->aggregate->sums);
	free(c->aggregate);
	c->aggregate = NULL;
}

void capture_add(struct capture *c, uint32_t metric, uint32_t task, uint32_t stack, uint32_t resource,
		 uint64_t count, int64_t value)
{
	struct aggregate *a = c->aggregate;
	struct sum_key key = {.metric = metric, .task = task, .stack = stack, .resource = resource};
	bool is_new;

	if (!c->start_ns)
		return;
	uint32_t id = intern_id(a->keys, &key, sizeof(key), &is_new);
	if (is_new) {
		GROW(a->sums, id, a->capacity);
		a->sums[id] = (struct sum){0};
	}
	a->sums[id].count += count;
	a->sums[id].value += value;
}

void capture_latency(struct capture *c, uint32_t metric, uint32_t resource, uint64_t ns, uint64_t count)
{
	struct latency_key key = {.metric = metric, .resource = resource, .bucket = histogram_bucket(ns)};

	if (c->start_ns)
		tally_add(&c->aggregate->latencies, &key, sizeof(key), count);
}

void capture_active(struct capture *c, const struct activity *a)
{
	if (c->active)
		c->active(c->active_arg, a);
}

struct run {
	uint32_t metric, process, task;
	uint64_t time_ns, ns;
};

static void add_run(void *arg, const void *data, uint32_t stack)
{
	struct capture *c = arg;
	struct run run;

	memcpy(&run, data, sizeof(run));
	past_add_sample(c->past, run.task, stack, run.time_ns, run.ns);
	stacks_sampled(c->stacks, stack);
	capture_add(c, run.metric, run.task, stack, 0, 1, run.ns);
	/* It was met in the middle, on average. */
	capture_active(c, &(struct activity){.process = run.process, .task = run.task, .stack = stack, .state = STATE_RUNNING,
					     .start_ns = run.time_ns - run.ns / 2, .end_ns = run.time_ns + run.ns / 2});
}

void capture_add_run(struct capture *c, const struct thread *thread, const struct stack_capture *stack,
		     uint64_t time_ns, uint32_t metric, uint64_t ns)
{
	struct run run = {.metric = metric, .process = thread->process->id, .task = thread->id, .time_ns = time_ns, .ns = ns};

	/* Its stack would be known later, when the recording has begun. */
	if (!c->start_ns)
		return;
	stacks_resolve(c->stacks, thread->process, stack, capture_time(c, time_ns), add_run, &run, sizeof(run));
}

void capture_gauge(struct capture *c, uint32_t metric, uint32_t resource, double value)
{
	store_add_gauge(c->store, c->slice, metric, resource, value);
}

void capture_histogram(struct capture *c, uint32_t metric, uint32_t resource, uint32_t bucket, uint64_t count)
{
	store_add_histogram(c->store, c->slice, metric, resource, bucket, count);
}

uint32_t capture_resource_keyed(struct capture *c, const char *kind, const char *key, const char *name)
{
	return resources_id(c->aggregate->resources, kind, key, name, c->slice);
}

uint32_t capture_resource(struct capture *c, const char *kind, const char *name)
{
	return capture_resource_keyed(c, kind, name, name);
}

struct resources *capture_resources(struct capture *c)
{
	return c->aggregate->resources;
}

void capture_ask(struct capture *c, struct askers *a, uint32_t device, uint32_t task, uint64_t amount)
{
	if (!device) {
		askers_add(a, 0, task, amount);
		return;
	}
	const struct disk_set *set = disk_sets_find(&c->disk_sets, c, device);
	for (uint32_t i = 0; i < set->count; i++)
		askers_add(a, set->disks[i], task, amount);
}

uint32_t capture_span_id(struct capture *c)
{
	return ++c->aggregate->last_span;
}

static void write_latency(void *arg, const void *key, uint64_t count)
{
	struct latency_key k;

	memcpy(&k, key, sizeof(k));
	capture_histogram(arg, k.metric, k.resource, k.bucket, count);
}

void capture_write(struct capture *c)
{
	struct aggregate *a = c->aggregate;

	for (uint32_t id = 0; id < intern_count(a->keys); id++) {
		struct sum_key key;

		memcpy(&key, intern_key(a->keys, id, NULL), sizeof(key));
		store_add_sample(c->store, &(struct sample_row){
			.slice = c->slice, .metric = key.metric, .task = key.task, .stack = key.stack,
			.resource = key.resource, .count = a->sums[id].count, .value = a->sums[id].value});
	}
	/* Reading the next slice's keys into a fresh table keeps memory to what one slice needs. */
	intern_free(a->keys);
	a->keys = intern_new();
	tally_take(&a->latencies, write_latency, c);
	resources_end_slice(a->resources, c->slice);
}

uint64_t capture_watched_ns(const struct capture *c, uint64_t mono_ns)
{
	uint64_t until = c->rest_since_ns && mono_ns > c->rest_since_ns ? c->rest_since_ns : mono_ns;

	return until - c->rested_ns;
}

bool capture_is_sparse(const struct capture *c)
{
	return c->rest_since_ns || c->resumed_ns > c->slice_start_ns;
}

uint64_t capture_counter(const struct capture *c, enum counter which)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		sum += c->cpu_slots[cpu].counter[which];
	return sum;
}

uint64_t capture_time(const struct capture *c, uint64_t mono_ns)
{
	return mono_ns > c->start_ns ? mono_ns - c->start_ns : 0;
}
