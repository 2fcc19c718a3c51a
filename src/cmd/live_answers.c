// SPDX-License-Identifier: BSD-2-Clause
#include "live_answers.h"

#include <stdio.h>
#include <string.h>

#include "annotate.h"
#include "annotate_json.h"
#include "ask.h"
#include "clock.h"
#include "fail.h"
#include "live_save.h"
#include "mem.h"
#include "report_saturation.h"
#include "store_query.h"
#include "ui.h"

#define PAUSE_NS (2 * NS_PER_S)
#define AGAIN_NS (5 * NS_PER_S)
#define ANNOTATED_NS (60 * NS_PER_S)

enum { COST_SHARE = 100 };

struct span {
	uint64_t from_ns, to_ns;
};

struct annotate_question {
	char function[256], module[256];
	bool intel;
	struct span span;
};

struct live_answers {
	struct live_answers_events events;
	struct ask *ask_resources, *ask_annotation, *ask_save;
	json_t *resources, *annotation;
	struct span resources_of, resources_asked;
	struct annotate_question annotation_of, annotation_asked;
	uint64_t next_resources_ns, next_annotation_ns; /* CLOCK_MONOTONIC */
};

static json_t *ask_resources(struct store *s, const void *arg)
{
	const struct span *span = arg;
	struct saturation *table;

	if (store_select(s, &(struct selection){.from_ns = span->from_ns, .to_ns = span->to_ns}) < 0 ||
	    saturation_new(s, &table) < 0)
		return NULL;
	return saturation_json(table);
}

static uint64_t next_time(uint64_t cpu_ns, uint64_t pause_ns)
{
	return clock_mono_ns() + (COST_SHARE * cpu_ns > pause_ns ? COST_SHARE * cpu_ns : pause_ns);
}

static int have_resources(void *arg, json_t *answer, uint64_t cpu_ns)
{
	struct live_answers *a = arg;

	a->next_resources_ns = next_time(cpu_ns, PAUSE_NS);
	a->resources_of = a->resources_asked;
	if (!answer)
		return 0;
	json_decref(a->resources);
	a->resources = answer;
	return a->events.changed(a->events.arg);
}

bool live_answers_resources_are_asked(const struct live_answers *a)
{
	return ask_is_pending(a->ask_resources);
}

const json_t *live_answers_resources(struct live_answers *a, uint64_t from_ns, uint64_t to_ns, enum live_asking when)
{
	bool known = a->resources_of.from_ns == from_ns && a->resources_of.to_ns == to_ns;
	bool due = when == LIVE_ASK_NOW || (when == LIVE_ASK_SOMETIMES && clock_mono_ns() >= a->next_resources_ns);

	if (!known && !ask_is_pending(a->ask_resources) && due) {
		a->resources_asked = (struct span){from_ns, to_ns};
		ask_start(a->ask_resources, &a->resources_asked);
	}
	return a->resources;
}

static json_t *ask_annotation(struct store *s, const void *arg)
{
	const struct annotate_question *q = arg;
	struct annotation *annotation;

	if (store_select(s, &(struct selection){.from_ns = q->span.from_ns, .to_ns = q->span.to_ns}) < 0 ||
	    annotation_new(s, &(struct annotate_options){.symbol = q->function, .module = *q->module ? q->module : NULL,
							 .intel = q->intel}, &annotation) < 0)
		return json_pack("{ss}", "error", fail_message());
	return annotation_json(s, annotation);
}

static int have_annotation(void *arg, json_t *answer, uint64_t cpu_ns)
{
	struct live_answers *a = arg;

	a->next_annotation_ns = next_time(cpu_ns, AGAIN_NS);
	a->annotation_of = a->annotation_asked;
	json_decref(a->annotation);
	a->annotation = answer ? answer : json_pack("{ss}", "error", "it took too long");
	return a->events.changed(a->events.arg);
}

const json_t *live_answers_annotation(struct live_answers *a, const char *function, const char *module, bool intel,
				      uint64_t from_ns, uint64_t to_ns)
{
	struct annotate_question q = {.intel = intel, .span = {from_ns, to_ns}};
	bool same;

	if (to_ns - from_ns < ANNOTATED_NS)
		q.span.from_ns = to_ns > ANNOTATED_NS ? to_ns - ANNOTATED_NS : 0;
	snprintf(q.function, sizeof(q.function), "%s", function);
	snprintf(q.module, sizeof(q.module), "%s", module);
	same = !strcmp(a->annotation_of.function, q.function) && !strcmp(a->annotation_of.module, q.module) &&
	       a->annotation_of.intel == intel;
	if (!ask_is_pending(a->ask_annotation) &&
	    (!same || (a->annotation_of.span.to_ns != to_ns && clock_mono_ns() >= a->next_annotation_ns))) {
		a->annotation_asked = q;
		ask_start(a->ask_annotation, &a->annotation_asked);
	}
	return same ? a->annotation : NULL;
}

static json_t *ask_save(struct store *s, const void *arg)
{
	char said[256];

	live_save(s, arg, said, sizeof(said));
	return json_pack("{ss}", "said", said);
}

static int have_saved(void *arg, json_t *answer, uint64_t cpu_ns)
{
	struct live_answers *a = arg;
	const char *said = json_string_value(json_object_get(answer, "said"));
	int r = a->events.saved(a->events.arg, said ? said : "it could not be saved");

	json_decref(answer);
	return r;
}

bool live_answers_save(struct live_answers *a, const struct ui_save *what)
{
	bool pending = ask_is_pending(a->ask_save);

	ask_start(a->ask_save, what);
	return !pending;
}

struct live_answers *live_answers_new(struct store *s, struct loop *l, const struct live_answers_events *e)
{
	struct live_answers *a = xcalloc(1, sizeof(*a));

	a->events = *e;
	a->ask_resources = ask_new(s, l, ask_resources, have_resources, a);
	a->ask_annotation = ask_new(s, l, ask_annotation, have_annotation, a);
	a->ask_save = ask_new(s, l, ask_save, have_saved, a);
	return a;
}

void live_answers_free(struct live_answers *a)
{
	if (!a)
		return;
	ask_free(a->ask_resources);
	ask_free(a->ask_annotation);
	ask_free(a->ask_save);
	json_decref(a->resources);
	json_decref(a->annotation);
	free(a);
}
