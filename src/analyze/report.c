// SPDX-License-Identifier: BSD-2-Clause
#include "report_internal.h"

#include <errno.h>
#include <string.h>

#include "arena.h"
#include "fail.h"
#include "mem.h"
#include "store_query.h"

const char *const report_loss_names[LOSSES] = {
	[LOSS_RECORDS] = "records", [LOSS_THREADS] = "threads", [LOSS_STACKS] = "stacks",
	[LOSS_MAPPINGS] = "mappings", [LOSS_SWITCHES] = "switches",
};

const char *report_keep(struct report *r, const char *text)
{
	return arena_strndup(r->memory, text, strlen(text));
}

static const char *meta(struct report *r, struct store *s, const char *key)
{
	char text[1024];

	return report_keep(r, store_meta_text(s, key, text, sizeof(text)));
}

static uint64_t number(struct store *s, const char *key)
{
	int64_t value = store_meta_int(s, key);

	return value > 0 ? (uint64_t)value : 0;
}

static int add_head(struct report *r, struct store *s)
{
	int64_t from, ns, end;
	int error;

	if ((error = query_one_int(s, "SELECT start_ns FROM period", 0, &from)) < 0 ||
	    (error = query_one_int(s, "SELECT ns FROM period", 0, &ns)) < 0 ||
	    (error = query_one_int(s, "SELECT max(end_ns) FROM main.slice", 0, &end)) < 0)
		return error;
	if (ns <= 0 || from < 0)
		return failx(-EBADMSG, "%s: damaged: its slices have no length", store_path(s));
	r->host = meta(r, s, "host");
	r->kernel = meta(r, s, "kernel");
	r->machine = meta(r, s, "machine");
	r->sampled_by = meta(r, s, "sampled_by");
	r->filter_cgroup = meta(r, s, "filter_cgroup");
	r->filter_pid = number(s, "filter_pid");
	r->start_wall_ns = number(s, "start_wall_ns") + (uint64_t)from;
	r->from_ns = (uint64_t)from;
	r->ns = (uint64_t)ns;
	r->recording_ns = (uint64_t)end;
	r->cpus = number(s, "cpus");
	r->frequency = number(s, "frequency");
	r->memory_bytes = number(s, "memory_bytes");
	r->complete = number(s, "complete");
	r->redacted = number(s, "redacted");
	return 0;
}

/* A gauge over the period: the sum, the highest, and the mean over its slices. */
struct gauge {
	double sum, max, mean;
};

static struct gauge gauge(struct store *s, const char *metric)
{
	_cleanup_(query_freep) struct query *q = NULL;

	if (query_new(s, "SELECT sum(value), max(value), avg(value) FROM level WHERE metric = :metric", &q) < 0)
		return (struct gauge){0};
	query_bind_text(q, ":metric", metric);
	if (query_next(q) <= 0)
		return (struct gauge){0};
	return (struct gauge){.sum = query_real(q, 0), .max = query_real(q, 1), .mean = query_real(q, 2)};
}

static void add_cost(struct report *r, struct store *s)
{
	struct gauge load = gauge(s, "load");

	r->load = load.mean;
	r->load_max = load.max;
	r->cost.cpu_percent = 100 * gauge(s, "self.cpu").sum / (double)r->ns;
	r->cost.bpf_percent = 100 * gauge(s, "self.bpf").sum / (double)r->ns;
	r->cost.asked_percent = 100 * gauge(s, "self.asked").sum / (double)r->ns;
	r->cost.memory = gauge(s, "self.memory").max;
	r->cost.kernel_memory = gauge(s, "self.kernel_memory").max;
	for (int i = 0; i < LOSSES; i++) {
		_cleanup_free_ char *metric = xasprintf("lost.%s", report_loss_names[i]);
		double lost = gauge(s, metric).sum;

		r->cost.lost[i] = lost > 0 && lost < 1e18 ? (uint64_t)lost : 0;
	}
}

static int add_held(struct report *r, struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;
	size_t capacity = 0;
	int error = query_new(s, "SELECT resource, min(value), count(*) * 1.0 / (SELECT last - first + 1 FROM period) FROM level "
				 "WHERE metric = 'governor.share' AND value < 1 GROUP BY resource", &q);

	while (error >= 0 && (error = query_next(q)) > 0) {
		GROW(r->held, r->held_count, capacity);
		r->held[r->held_count++] = (struct report_held){.name = report_keep(r, query_text(q, 0)),
								.least = query_real(q, 1), .part = query_real(q, 2)};
	}
	return error;
}

static int add_gaps(struct report *r, struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;
	size_t capacity = 0;
	int error = query_new(s, "SELECT probe, reason FROM unavailable", &q);

	while (error >= 0 && (error = query_next(q)) > 0) {
		GROW(r->gaps, r->gap_count, capacity);
		r->gaps[r->gap_count++] = (struct report_gap){.probe = report_keep(r, query_text(q, 0)),
							      .reason = report_keep(r, query_text(q, 1))};
	}
	return error;
}

int report_new(struct store *s, struct report **ret_report)
{
	_cleanup_(report_freep) struct report *r = xcalloc(1, sizeof(*r));
	int error;

	r->memory = arena_new();
	if ((error = add_head(r, s)) < 0 || (error = report_add_cpus(r, s)) < 0 ||
	    (error = report_add_tasks(r, s)) < 0 || (error = report_add_functions(r, s)) < 0 ||
	    (error = add_held(r, s)) < 0 || (error = add_gaps(r, s)) < 0)
		return error;
	add_cost(r, s);
	*ret_report = r;
	r = NULL;
	return 0;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	free(r->cpu);
	free(r->processes);
	free(r->threads);
	free(r->ended);
	free(r->functions);
	free(r->held);
	free(r->gaps);
	arena_free(r->memory);
	free(r);
}
