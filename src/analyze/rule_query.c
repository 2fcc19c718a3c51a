// SPDX-License-Identifier: BSD-2-Clause
/* From a rule's answer to findings. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "escape.h"
#include "fail.h"
#include "findings_internal.h"
#include "mem.h"
#include "rule.h"
#include "rule_answer.h"

/* Severity follows from who is harmed (urgency) and how much (impact), here and nowhere else. */
static const struct urgency {
	const char *name;
	double warning, critical; /* impact from which on; above 1: never */
} urgencies[] = {
	{"none", 2, 2},       /* nothing and nobody waits for the affected work */
	{"waited", 0.1, 0.5}, /* threads or requests wait for it */
	{"failing", 0, 0},    /* it stands still, fails, or is about to */
};

static enum severity severity_of(const struct urgency *urgency, double impact)
{
	return impact >= urgency->critical ? SEVERITY_CRITICAL :
	       impact >= urgency->warning  ? SEVERITY_WARNING : SEVERITY_INFO;
}

struct row {
	const struct rule_answer *answer;
	const struct rule_cell *cells;
	const struct rule *rule;
	struct findings *findings;
	bool failed;
};

static void reject(struct row *row, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void reject(struct row *row, const char *format, ...)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	va_list args;

	if (row->failed)
		return;
	row->failed = true;
	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	findings_add_error(row->findings, "%s: %s", row->rule->path, text.data);
}

static int column(const struct row *row, const char *name, size_t length)
{
	for (size_t i = 0; i < row->answer->columns; i++) {
		const char *have = row->answer->names[i];

		if (strlen(have) == length && !strncmp(have, name, length))
			return (int)i;
	}
	return -1;
}

static const char *text_of(const struct row *row, const char *name)
{
	int i = column(row, name, strlen(name));

	return i < 0 || !row->cells[i].text ? "" : row->cells[i].text;
}

/* {column} becomes its value; a rule that names none of its columns is broken. */
static const char *fill_in(struct row *row, const char *template)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	const char *p = template, *open, *close;

	for (; (open = strchr(p, '{')) && (close = strchr(open, '}')); p = close + 1) {
		int i = column(row, open + 1, (size_t)(close - open - 1));

		buf_add(&text, p, (size_t)(open - p));
		if (i < 0)
			reject(row, "there is no column for %.*s", (int)(close - open + 1), open);
		else
			buf_addstr(&text, row->cells[i].text ? row->cells[i].text : "");
	}
	buf_addstr(&text, p);
	return findings_copy(row->findings, text.data);
}

/* An array of objects; an empty one when the column is missing or NULL. */
static json_t *array_of(struct row *row, const char *name)
{
	_cleanup_(buf_done) struct buf valid = BUF_INIT;
	const char *text = text_of(row, name);
	json_t *array;

	if (!*text)
		return json_array();
	escape_utf8(&valid, text, strlen(text)); /* names of other processes are in it */
	array = json_loads(valid.data, JSON_ALLOW_NUL, NULL);
	if (json_is_array(array))
		return array;
	reject(row, "column %s is not a JSON array", name);
	json_decref(array);
	return json_array();
}

static const char *string_in(struct row *row, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return findings_copy(row->findings, text ? text : "");
}

static uint32_t id_in(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 && value <= UINT32_MAX ? (uint32_t)value : 0;
}

static bool is_role(const char *text)
{
	return !strcmp(text, "culprit") || !strcmp(text, "victim");
}

/* One without a thread is its process, as its first thread is. */
static uint32_t thread_of(const struct finding_task *task)
{
	return task->tid ? task->tid : task->pid;
}

static bool is_known(const struct finding *f, const struct finding_task *task)
{
	for (size_t i = 0; i < f->affected_count; i++)
		if (f->affected[i].pid == task->pid && thread_of(&f->affected[i]) == thread_of(task))
			return true;
	return false;
}

/* Culprits come first, and who is both is the culprit. */
static void read_affected(struct row *row, struct finding *f)
{
	_cleanup_(json_decrefp) json_t *array = array_of(row, "affected");
	static const char *const roles[] = {"culprit", "victim"};
	size_t i;
	json_t *item;

	f->affected = arena_alloc(row->findings->strings, MOST_AFFECTED * sizeof(*f->affected));
	for (size_t pass = 0; pass < ARRAY_SIZE(roles); pass++)
		json_array_foreach(array, i, item) {
			struct finding_task task = {string_in(row, item, "role"),
						    id_in(item, "pid"), id_in(item, "tid"),
						    string_in(row, item, "comm"),
						    string_in(row, item, "cgroup")};

			if (!is_role(task.role))
				reject(row, "affected: a role is culprit or victim");
			else if (!strcmp(task.role, roles[pass]) &&
				 f->affected_count < MOST_AFFECTED && !is_known(f, &task))
				f->affected[f->affected_count++] = task;
		}
}

static void read_evidence(struct row *row, struct finding *f)
{
	_cleanup_(json_decrefp) json_t *array = array_of(row, "evidence");
	size_t i;
	json_t *item;

	json_array_foreach(array, i, item) {
		const json_t *value = json_object_get(item, "value"),
			     *threshold = json_object_get(item, "threshold");

		if (!json_is_number(value) || !json_is_string(json_object_get(item, "metric"))) {
			reject(row, "evidence: a metric and its value are wanted");
			return;
		}
		add_evidence(
			row->findings, f,
			&(struct finding_evidence){.metric = string_in(row, item, "metric"),
						   .value = json_number_value(value),
						   .unit = string_in(row, item, "unit"),
						   .threshold = json_number_value(threshold),
						   .has_threshold = json_is_number(threshold)});
	}
}

static void read_frames(struct row *row, const json_t *frames, struct stack_selector *selector)
{
	size_t i;
	json_t *item;

	if (!json_is_array(frames))
		return;
	selector->frames = arena_alloc(row->findings->strings, (json_array_size(frames) + 1) * sizeof(*selector->frames));
	json_array_foreach(frames, i, item) {
		const char *name = json_string_value(item);

		selector->frames[selector->depth++] = findings_copy(row->findings, name ? name : "");
	}
}

static void read_selectors(struct row *row, struct draft *d)
{
	_cleanup_(json_decrefp) json_t *array = array_of(row, "stacks");
	size_t i;
	json_t *item;

	json_array_foreach(array, i, item) {
		if (json_is_null(item)) /* a subquery that has found none */
			continue;
		struct stack_selector selector = {.role = string_in(row, item, "role"),
						  .metric = string_in(row, item, "metric"),
						  .function = string_in(row, item, "function"),
						  .process = id_in(item, "process"), .task = id_in(item, "task")};

		read_frames(row, json_object_get(item, "frames"), &selector);
		selector.weight_ms = json_number_value(json_object_get(item, "weight_ms"));
		if (!*selector.role || (!*selector.metric && !selector.frames))
			reject(row, "stacks: a role and a metric, or frames, are wanted");
		else if (d->selector_count < MOST_STACK_SELECTORS)
			d->selectors[d->selector_count++] = selector;
	}
}

static void read_severity(struct row *row, struct finding *f)
{
	const char *name = text_of(row, "urgency");
	int impact = column(row, "impact", strlen("impact"));

	f->impact = impact < 0 ? 0 : row->cells[impact].real;
	f->impact = isfinite(f->impact) ? fmin(fmax(f->impact, 0), 1) : 0;
	for (size_t i = 0; i < ARRAY_SIZE(urgencies); i++)
		if (!strcmp(urgencies[i].name, name)) {
			f->severity = severity_of(&urgencies[i], f->impact);
			f->harms = urgencies[i].critical <= 1;
			return;
		}
	reject(row, "column urgency is '%s', not none, waited or failing", name);
}

static void read_actions(struct row *row, struct finding *f)
{
	const struct rule *rule = row->rule;

	f->actions =
		arena_alloc(row->findings->strings, (rule->action_count + 1) * sizeof(*f->actions));
	for (size_t i = 0; i < rule->action_count; i++)
		f->actions[f->action_count++] = fill_in(row, rule->actions[i]);
}

static void read_row(struct row *row, struct drafts *d)
{
	struct draft draft = {.finding = {.id = findings_copy(d->findings, row->rule->id)}};
	struct finding *f = &draft.finding;

	read_severity(row, f);
	f->title = fill_in(row, row->rule->summary);
	f->resource_kind = findings_copy(d->findings, text_of(row, "resource_kind"));
	f->resource_name = findings_copy(d->findings, text_of(row, "resource_name"));
	f->runbook = row->rule->runbook ? findings_copy(d->findings, row->rule->runbook) : NULL;
	read_affected(row, f);
	read_evidence(row, f);
	read_selectors(row, &draft);
	read_actions(row, f);
	draft.waits = row->rule->kind != NULL;
	if (row->failed)
		return;
	GROW(d->items, d->count, d->capacity);
	d->items[d->count++] = draft;
}

/* A broken rule is told and forgotten; failures of the machine are the caller's. */
int rule_query(const struct rule *rule, const struct rule_answer *answer, struct drafts *d)
{
	struct row row = {.answer = answer, .cells = answer->cells, .rule = rule, .findings = d->findings};

	if (answer->error)
		return failx(answer->error, "%s", answer->complaint);
	for (size_t i = 0; !row.failed && i < answer->rows; i++, row.cells += answer->columns)
		read_row(&row, d);
	if (!row.failed && *answer->complaint)
		findings_add_error(d->findings, "%s", answer->complaint);
	return 0;
}
