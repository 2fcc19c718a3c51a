// SPDX-License-Identifier: BSD-2-Clause
#include "doctor_cost.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cleanup.h"
#include "clock.h"
#include "fail.h"
#include "live.h"
#include "loop.h"
#include "output.h"
#include "recorder.h"
#include "store.h"

#define START_NS NS_PER_S /* in which code is learned: no part of it */
#define LOOK_NS (3 * NS_PER_S)

enum { MOST_KINDS = 32 };

struct look {
	struct loop *loop;
	struct recorder *recorder;
	struct recorder_cost before[MOST_KINDS], after[MOST_KINDS];
	unsigned count;
	uint64_t begin_ns, end_ns;
};

static unsigned take(const struct recorder *r, struct recorder_cost costs[MOST_KINDS])
{
	unsigned count = 0;

	while (count < MOST_KINDS && recorder_cost(r, count, &costs[count]))
		count++;
	return count;
}

static int begin(void *arg, uint32_t events)
{
	struct look *l = arg;

	l->begin_ns = clock_mono_ns();
	take(l->recorder, l->before);
	return 0;
}

static int end(void *arg, uint32_t events)
{
	struct look *l = arg;

	l->end_ns = clock_mono_ns();
	l->count = take(l->recorder, l->after);
	loop_stop(l->loop);
	return 0;
}

static int watch(struct look *l, struct store *s)
{
	int r = recorder_new(s, l->loop, &(struct recorder_options){.frequency = 99, .slice_ns = NS_PER_S,
								    .most_overhead = live_most_overhead(0)}, &l->recorder);

	if (r < 0)
		return r;
	if ((r = loop_add_timer(l->loop, START_NS, 0, begin, l, NULL)) < 0 ||
	    (r = loop_add_timer(l->loop, START_NS + LOOK_NS, 0, end, l, NULL)) < 0)
		return fail(r, "prepare the event loop");
	return loop_run(l->loop);
}

struct cost_row {
	const char *name;
	uint64_t runs, ns;
	bool known; /* ns: of so few runs none may have been timed */
};

/* Since the look began; a process of ours that has ended since takes its time with it. */
static struct cost_row difference(const struct look *l, unsigned i)
{
	const struct recorder_cost *before = &l->before[i], *after = &l->after[i];
	uint64_t runs = after->runs - before->runs, timed = after->timed_runs - before->timed_runs;
	double ns = after->ns > before->ns ? (double)(after->ns - before->ns) : 0;

	if (runs)
		ns = timed ? ns / (double)timed * (double)runs : 0;
	return (struct cost_row){.name = after->name, .runs = runs, .ns = (uint64_t)ns, .known = timed || !runs};
}

static double percent(const struct look *l, uint64_t ns)
{
	return 100.0 * (double)ns / (double)(l->end_ns - l->begin_ns);
}

static void print_text(const struct look *l)
{
	double seconds = (double)(l->end_ns - l->begin_ns) / 1e9;
	uint64_t sum = 0;

	printf("What watching cost in %.0f s, in %% of one CPU; hooks are timed at every %uth run,\nwithout what the kernel takes to start each:\n\n"
	       "  %-42s %12s %8s %7s\n", seconds, recorder_cost_period(), "", "a second", "ns each", "%");
	for (unsigned i = 0; i < l->count; i++) {
		struct cost_row cost = difference(l, i);

		sum += cost.ns;
		if (cost.runs && !cost.known)
			printf("  %-42s %12.0f %8s %7s\n", cost.name, (double)cost.runs / seconds, "-", "-");
		else if (cost.runs)
			printf("  %-42s %12.0f %8.0f %7.2f\n", cost.name, (double)cost.runs / seconds, (double)cost.ns / (double)cost.runs,
			       percent(l, cost.ns));
		else if (cost.ns)
			printf("  %-42s %12s %8s %7.2f\n", cost.name, "", "", percent(l, cost.ns));
	}
	printf("  %-42s %12s %8s %7.2f\n", "together", "", "", percent(l, sum));
}

static void print_json(const struct look *l)
{
	json_t *kinds = json_array(), *root;

	for (unsigned i = 0; i < l->count; i++) {
		struct cost_row cost = difference(l, i);

		if (!cost.runs && !cost.ns)
			continue;
		json_array_append_new(kinds, json_pack("{ss sI so so}", "name", cost.name, "runs", (json_int_t)cost.runs,
						       "ns", cost.known ? json_integer((json_int_t)cost.ns) : json_null(),
						       "percent", cost.known ? json_real(percent(l, cost.ns)) : json_null()));
	}
	root = json_pack("{ss sf so}", "schema", "perfscope.cost/1", "duration_s", (double)(l->end_ns - l->begin_ns) / 1e9, "costs", kinds);
	json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(root);
}

int doctor_cost(bool json)
{
	_cleanup_(store_freep) struct store *s = NULL;
	_cleanup_(loop_freep) struct loop *loop = NULL;
	_cleanup_(recorder_freep) struct recorder *recorder = NULL;
	struct look l = {0};
	int r = store_create(":memory:", &s);

	if (r < 0)
		return r;
	if ((r = loop_new(&loop)) < 0)
		return fail(r, "prepare the event loop");
	l.loop = loop;
	r = watch(&l, s);
	recorder = l.recorder;
	if (r < 0)
		return r;
	if (json)
		print_json(&l);
	else
		print_text(&l);
	return output_flush();
}
