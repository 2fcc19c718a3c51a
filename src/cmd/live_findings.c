// SPDX-License-Identifier: BSD-2-Clause
#include "live_findings.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "ask.h"
#include "clock.h"
#include "findings.h"
#include "mem.h"
#include "rule.h"
#include "rule_folders.h"
#include "store_query.h"

/* Rules are made for some seconds of a machine: less is noise, and more is not now. Levels that last are written every half minute. */
#define SHORTEST_NS (5 * NS_PER_S)
#define LOOK_BACK_NS (30 * NS_PER_S)
#define PAUSE_NS (5 * NS_PER_S)
#define KEEP_NS (600 * NS_PER_S)

/* So many tell what is wrong, too, and the child that adds them up stays small. */
#define MOST_SAMPLES "60000"

enum { COST_SHARE = 30, MOST_KEPT = 200 };

struct live_findings {
	struct ask *ask;
	int (*changed)(void *arg);
	void *arg;
	struct rules *rules;
	json_t *found;      /* an array, as it was answered */
	json_t *history;    /* the same with "number", "since_ns", "until_ns"; then those that are over. NULL: not asked yet */
	json_int_t numbers; /* given so far */
	uint64_t next_ns;   /* CLOCK_MONOTONIC */
	uint64_t asked_ns, asked_before_ns; /* the recording's time of this question and of the last one */
};

struct question {
	const struct rules *rules;
	uint64_t recorded_ns;
};

static uint64_t before(uint64_t now_ns, uint64_t ns)
{
	return now_ns > ns ? now_ns - ns : 0;
}

static uint64_t look_back_from(struct store *s, uint64_t now_ns)
{
	uint64_t from_ns = before(now_ns, LOOK_BACK_NS);
	int64_t few_ns;

	if (query_one_int(s, "SELECT start_ns FROM main.slice WHERE id = (SELECT slice FROM main.sample WHERE rowid > "
			  "(SELECT max(rowid) FROM main.sample) - " MOST_SAMPLES " ORDER BY rowid LIMIT 1)", 0, &few_ns) == 0 &&
	    (uint64_t)few_ns > from_ns)
		from_ns = (uint64_t)few_ns;
	return from_ns < before(now_ns, SHORTEST_NS) ? from_ns : before(now_ns, SHORTEST_NS);
}

static json_t *ask_rules(struct store *s, const void *arg)
{
	const struct question *q = arg;
	struct findings *found;

	if (store_select(s, &(struct selection){
		.from_ns = look_back_from(s, q->recorded_ns), .to_ns = q->recorded_ns}) < 0 ||
	    findings_new(s, q->rules, &(struct findings_options){0}, &found) < 0)
		return NULL;
	return findings_json(found);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_int_t culprit_of(const json_t *f)
{
	return json_integer_value(json_object_get(json_array_get(json_object_get(f, "affected"), 0), "pid"));
}

/* Numbers in its title change from answer to answer; what it is about does not. */
static bool is_same(const json_t *a, const json_t *b)
{
	return !strcmp(text_of(a, "id"), text_of(b, "id")) && culprit_of(a) == culprit_of(b) &&
	       !strcmp(text_of(json_object_get(a, "resource"), "name"), text_of(json_object_get(b, "resource"), "name"));
}

static json_int_t until_of(const json_t *f)
{
	return json_integer_value(json_object_get(f, "until_ns"));
}

/* One that lasts, or `any`. */
static json_t *find_known(const json_t *history, const json_t *finding, bool any)
{
	for (size_t i = 0; i < json_array_size(history); i++) {
		json_t *f = json_array_get(history, i);

		if ((any || !until_of(f)) && is_same(f, finding))
			return f;
	}
	return NULL;
}

/* All that it is about have ended: that is over, though it is within the time that is looked at. Not so where the end is the harm, nor
 * where those who suffer come and go: then the next answer names others. */
static bool is_over(const json_t *finding)
{
	const json_t *affected = json_object_get(finding, "affected");

	for (size_t i = 0; i < json_array_size(affected); i++) {
		json_int_t pid = json_integer_value(json_object_get(json_array_get(affected, i), "pid"));

		if (pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
			return false;
	}
	return json_array_size(affected) && strcmp(text_of(finding, "id"), "memory.oom");
}

static json_t *remember(struct live_findings *f, json_t *finding)
{
	bool ended = is_over(finding);
	const json_t *known = find_known(f->history, finding, ended);
	bool over = ended && known;
	json_int_t until = known && until_of(known) ? until_of(known) : (json_int_t)f->asked_ns;
	json_t *now = json_copy(finding);

	json_object_set_new(now, "number", json_integer(known ? json_integer_value(json_object_get(known, "number")) :
							++f->numbers));
	/* It began after the question that did not bring it. */
	json_object_set_new(now, "since_ns", known ? json_incref(json_object_get(known, "since_ns")) :
			    json_integer((json_int_t)f->asked_before_ns));
	json_object_set_new(now, "until_ns", json_integer(over ? until : 0));
	return now;
}

static bool has_number(const json_t *history, const json_t *finding)
{
	for (size_t i = 0; i < json_array_size(history); i++)
		if (json_equal(json_object_get(json_array_get(history, i), "number"), json_object_get(finding, "number")))
			return true;
	return false;
}

static void add_past(struct live_findings *f, json_t *history)
{
	for (size_t i = 0; i < json_array_size(f->history) && json_array_size(history) < MOST_KEPT; i++) {
		json_t *old = json_array_get(f->history, i);
		json_int_t until = until_of(old);

		if (has_number(history, old))
			continue;
		if (!until)
			json_object_set_new(old, "until_ns", json_integer((json_int_t)f->asked_before_ns + 1));
		if (!until || (uint64_t)until + KEEP_NS > f->asked_ns)
			json_array_append(history, old);
	}
}

static void take(struct live_findings *f, json_t *found)
{
	json_t *history = json_array();

	for (size_t i = 0; i < json_array_size(found); i++)
		json_array_append_new(history, remember(f, json_array_get(found, i)));
	add_past(f, history);
	json_decref(f->history);
	json_decref(f->found);
	f->history = history;
	f->found = found;
	f->asked_before_ns = f->asked_ns;
}

static int answered(void *arg, json_t *answer, uint64_t cpu_ns)
{
	struct live_findings *f = arg;

	f->next_ns = clock_mono_ns() + (COST_SHARE * cpu_ns > PAUSE_NS ? COST_SHARE * cpu_ns : PAUSE_NS);
	if (!json_is_array(answer)) {
		json_decref(answer);
		return 0;
	}
	take(f, answer);
	return f->changed ? f->changed(f->arg) : 0;
}

struct live_findings *live_findings_new(struct store *s, struct loop *l, int (*changed)(void *arg), void *arg)
{
	_cleanup_(rule_folders_freep) struct rule_folders *folders = rule_folders_new();
	struct live_findings *f = xmalloc(sizeof(*f));

	*f = (struct live_findings){.changed = changed, .arg = arg, .rules = rules_new(rule_folders_list(folders)),
				    .found = json_array()};
	f->ask = ask_new(s, l, ask_rules, answered, f);
	return f;
}

void live_findings_free(struct live_findings *f)
{
	if (!f)
		return;
	ask_free(f->ask);
	json_decref(f->found);
	json_decref(f->history);
	rules_free(f->rules);
	free(f);
}

bool live_findings_are_asked(const struct live_findings *f)
{
	return ask_is_pending(f->ask);
}

void live_findings_update(struct live_findings *f, uint64_t recorded_ns)
{
	if (ask_is_pending(f->ask) || recorded_ns < SHORTEST_NS || clock_mono_ns() < f->next_ns)
		return;
	f->asked_ns = recorded_ns;
	ask_start(f->ask, &(struct question){f->rules, recorded_ns});
}

json_t *live_findings_json(const struct live_findings *f)
{
	return json_incref(f->found);
}

const json_t *live_findings_history(const struct live_findings *f)
{
	return f->history;
}
