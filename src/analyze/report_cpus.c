// SPDX-License-Identifier: BSD-2-Clause
/* How each CPU spent its time, and how long threads waited for it. */
#include "report_internal.h"

#include <string.h>

#include "hash.h"
#include "histogram.h"
#include "mem.h"
#include "store_query.h"

typedef uint64_t counts[HISTOGRAM_BUCKETS];

struct loading {
	struct report *report;
	struct map *index; /* hash of the CPU's name -> its place */
	size_t capacity, waits_capacity;
	counts *waits; /* by CPU */
	counts all;
};

static void loading_done(struct loading *l)
{
	map_free(l->index);
	free(l->waits);
}

static size_t cpu_of(struct loading *l, const char *name)
{
	uint64_t key = hash_bytes(name, strlen(name)), i;
	struct report *r = l->report;

	if (map_get(l->index, key, &i))
		return i;
	map_put(l->index, key, r->cpu_count);
	GROW(l->waits, r->cpu_count, l->waits_capacity);
	GROW(r->cpu, r->cpu_count, l->capacity);
	memset(&l->waits[r->cpu_count], 0, sizeof(counts));
	r->cpu[r->cpu_count] = (struct report_cpu){.name = report_keep(r, name)};
	return r->cpu_count++;
}

/* The shares of a slice add up to 100 wherever the CPU was online: so does their sum over time. */
static int load_shares(struct loading *l, struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT cpu, user, system, irq, steal, iowait, busy FROM cpu_share", &q);

	while (r >= 0 && (r = query_next(q)) > 0) {
		size_t place = cpu_of(l, query_text(q, 0)); /* may move them */
		struct report_cpu *cpu = &l->report->cpu[place];

		cpu->user = query_real(q, 1);
		cpu->system = query_real(q, 2);
		cpu->irq = query_real(q, 3);
		cpu->steal = query_real(q, 4);
		cpu->iowait = query_real(q, 5);
		cpu->busy = query_real(q, 6);
	}
	return r;
}

static int load_waits(struct loading *l, struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;
	_cleanup_(map_freep) struct map *places = map_new(); /* of resources */
	int r = query_new(s, "SELECT h.resource, h.bucket, h.count FROM histogram_total h WHERE h.metric IN"
			     " (SELECT id FROM metric WHERE name = 'runqueue.latency')", &q);
	_cleanup_(query_freep) struct query *names = NULL;

	if (r < 0 || (r = query_new(s, "SELECT id, name FROM main.resource WHERE kind = 'cpu'", &names)) < 0)
		return r;
	while ((r = query_next(names)) > 0)
		map_put(places, (uint64_t)query_int(names, 0), cpu_of(l, query_text(names, 1)));
	while (r >= 0 && (r = query_next(q)) > 0) {
		int64_t bucket = query_int(q, 1), count = query_int(q, 2);
		uint64_t place;

		if (bucket < 0 || bucket >= HISTOGRAM_BUCKETS || count < 0)
			continue;
		l->all[bucket] += (uint64_t)count;
		if (map_get(places, (uint64_t)query_int(q, 0), &place))
			l->waits[place][bucket] += (uint64_t)count;
	}
	return r;
}

static struct report_latency summarize(const counts waits)
{
	struct report_latency latency = {.p50 = histogram_quantile(waits, 0.5), .p90 = histogram_quantile(waits, 0.9),
					 .p99 = histogram_quantile(waits, 0.99)};

	for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
		latency.count += waits[b];
		if (waits[b])
			latency.max = histogram_low(b + 1);
	}
	return latency;
}

static int by_name(const void *a, const void *b)
{
	const struct report_cpu *x = a, *y = b;

	return strverscmp(x->name, y->name);
}

int report_add_cpus(struct report *r, struct store *s)
{
	_cleanup_(loading_done) struct loading l = {.report = r, .index = map_new()};
	int error;

	if ((error = load_shares(&l, s)) < 0 || (error = load_waits(&l, s)) < 0)
		return error;
	r->latency = summarize(l.all);
	for (size_t i = 0; i < r->cpu_count; i++) {
		r->cpu[i].latency = summarize(l.waits[i]);
		r->busy += r->cpu[i].busy / (double)r->cpu_count;
	}
	if (r->cpu_count)
		qsort(r->cpu, r->cpu_count, sizeof(*r->cpu), by_name);
	return 0;
}
