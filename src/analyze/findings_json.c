// SPDX-License-Identifier: BSD-2-Clause
#include <math.h>

#include "clock.h"
#include "json_text.h"
#include "findings_internal.h"

/* As many digits as mean something. */
static json_t *number(double value)
{
	double size = fabs(value), step = size >= 100 ? 10 : size >= 1 ? 1e3 : 1e6;

	return json_real(round(value * step) / step);
}

static json_t *pack_affected(const struct finding *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->affected_count; i++) {
		const struct finding_task *t = &f->affected[i];

		json_array_append_new(array,
				      json_pack("{so si si so so}", "role", json_text(t->role), "pid",
						(int)t->pid, "tid", (int)(t->tid ? t->tid : t->pid),
						"comm", json_text(t->comm), "cgroup", json_text(t->cgroup)));
	}
	return array;
}

static json_t *pack_evidence(const struct finding *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->evidence_count; i++) {
		const struct finding_evidence *e = &f->evidence[i];
		json_t *item = json_pack("{so so so}", "metric", json_text(e->metric), "value",
					 number(e->value), "unit", json_text(e->unit));

		if (e->has_threshold)
			json_object_set_new(item, "threshold", number(e->threshold));
		json_array_append_new(array, item);
	}
	return array;
}

static json_t *pack_stacks(const struct finding *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->stack_count; i++) {
		const struct finding_stack *s = &f->stacks[i];
		json_t *frames = json_array();

		for (size_t n = 0; n < s->depth; n++)
			json_array_append_new(frames, json_text(s->frames[n]));
		json_t *item = json_pack("{so so so}", "role", json_text(s->role), "weight_ms", number(s->weight_ms), "frames", frames);

		if (s->weight_bytes > 0)
			json_object_set_new(item, "weight_bytes", number(s->weight_bytes));
		json_array_append_new(array, item);
	}
	return array;
}

static json_t *pack_actions(const struct finding *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->action_count; i++)
		json_array_append_new(array, json_text(f->actions[i]));
	return array;
}

static json_t *pack(const struct finding *f)
{
	json_t *resource = *f->resource_kind ? json_pack("{so so}", "kind", json_text(f->resource_kind),
							 "name", json_text(f->resource_name))
					     : json_null();

	return json_pack("{so ss so so so so so so so so}", "id", json_text(f->id), "severity",
			 severity_name(f->severity), "impact", number(f->impact), "title",
			 json_text(f->title), "affected", pack_affected(f), "resource", resource,
			 "evidence", pack_evidence(f), "stacks", pack_stacks(f), "actions",
			 pack_actions(f), "runbook", json_text(f->runbook));
}

json_t *findings_json(const struct findings *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->count; i++)
		json_array_append_new(array, pack(&f->items[i]));
	return array;
}

static double one(struct store *s, const char *sql)
{
	_cleanup_(query_freep) struct query *q = NULL;

	return query_new(s, sql, &q) == 0 && query_next(q) > 0 ? query_real(q, 0) : 0;
}

static json_t *pack_unavailable(struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;
	json_t *array = json_array();

	if (query_new(s, "SELECT probe, reason FROM unavailable ORDER BY probe", &q) < 0)
		return array;
	while (query_next(q) > 0)
		json_array_append_new(array, json_pack("{so so}", "probe", json_text(query_text(q, 0)),
						       "reason", json_text(query_text(q, 1))));
	return array;
}

static json_t *pack_errors(const struct findings *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->error_count; i++)
		json_array_append_new(array, json_text(f->errors[i]));
	return array;
}

json_t *findings_document(const struct findings *f, struct store *s)
{
	char host[256], kernel[256], start[21];
	double ns = one(s, "SELECT ns FROM period");

	clock_format_utc((uint64_t)store_meta_int(s, "start_wall_ns") +
			 (uint64_t)one(s, "SELECT start_ns FROM period"), start);
	store_meta_text(s, "host", host, sizeof(host));
	store_meta_text(s, "kernel", kernel, sizeof(kernel));
	return json_pack(
		"{ss so so ss so s{so sI} so so so}", "schema", "perfscope.findings/1", "host", json_text(host),
		"kernel", json_text(kernel), "start", start, "duration_s", number(ns / 1e9), "overhead",
		"cpu_percent", number(ns > 0 ? 100 / ns * one(s, "SELECT sum(value) FROM level "
								"WHERE metric IN ('self.cpu', 'self.bpf')") : 0),
		"lost_events", (json_int_t)one(s, "SELECT sum(value) FROM level WHERE metric GLOB 'lost.*'"),
		"unavailable", pack_unavailable(s), "rule_errors", pack_errors(f), "findings", findings_json(f));
}
