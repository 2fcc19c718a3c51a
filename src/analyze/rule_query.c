// SPDX-License-Identifier: BSD-2-Clause
/* From a rule's rows to findings. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "escape.h"
#include "fail.h"
#include "findings_internal.h"
#include "log.h"
#include "mem.h"
#include "rule.h"
#include "rule_steps.h"
#include "store_guard.h"

#define MOST_NS (10 * NS_PER_S)

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
	struct query *query;
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
	for (int i = 0; i < query_columns(row->query); i++) {
		const char *have = query_column_name(row->query, i);

		if (strlen(have) == length && !strncmp(have, name, length))
			return i;
	}
	return -1;
}

static const char *text_of(const struct row *row, const char *name)
{
	int i = column(row, name, strlen(name));

	return i < 0 ? "" : query_text(row->query, i);
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
			buf_addstr(&text, query_text(row->query, i));
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

static bool is_known(const struct finding *f, const struct finding_task *task)
{
	for (size_t i = 0; i < f->affected_count; i++)
		if (f->affected[i].pid == task->pid && f->affected[i].tid == task->tid)
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

	f->impact = impact < 0 ? 0 : query_real(row->query, impact);
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

static void bind(struct query *q, const struct rule *rule, const struct drafts *d)
{
	for (size_t i = 0; i < rule->threshold_count; i++) {
		_cleanup_free_ char *name = xasprintf(":%s", rule->thresholds[i].name);

		query_bind_real(q, name, rule->thresholds[i].value);
	}
	query_bind_text(q, ":objectives", d->objectives);
}

static unsigned line_of(const char *text, int offset)
{
	unsigned line = 1;

	for (int i = 0; i < offset && text[i]; i++)
		line += text[i] == '\n';
	return line;
}

/* Failures of the machine are the caller's; a rule's own are told and forgotten. */
static bool is_rules_fault(int r)
{
	return r != -EIO && r != -EBADMSG && r != -ENOMEM;
}

static uint64_t time_left(uint64_t start_ns)
{
	uint64_t end = start_ns + MOST_NS, now = clock_mono_ns();

	return now < end ? end - now : 0;
}

static int keep_steps(struct store *s, const struct rule *rule, const struct rule_steps *steps, uint64_t start_ns, const struct drafts *d)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < steps->count; i++) {
		_cleanup_(query_freep) struct query *q = NULL;

		r = query_keep_guarded(s, steps->items[i].table, steps->items[i].sql, time_left(start_ns), &q);
		if (r >= 0) {
			bind(q, rule, d);
			r = query_next(q);
		}
	}
	return r;
}

static int prepare(struct store *s, const struct rule *rule, const struct rule_steps *steps, uint64_t start_ns,
		   const struct drafts *d, struct query **ret_query)
{
	int offset, r = keep_steps(s, rule, steps, start_ns, d);

	if (r >= 0)
		r = query_new_guarded(s, steps->rest.data, time_left(start_ns), ret_query, &offset);
	/* Its errors are told where whoever wrote it finds them. */
	if (r < 0 && steps->count)
		r = query_new_guarded(s, rule->sql, time_left(start_ns), ret_query, &offset);
	if (r >= 0 || !is_rules_fault(r))
		return r;
	if (offset >= 0)
		findings_add_error(d->findings, "%s:%u: %s", rule->path, line_of(rule->sql, offset), fail_message());
	else
		findings_add_error(d->findings, "%s: %s", rule->path, fail_message());
	return 0;
}

static int read_rows(struct row *row, struct drafts *d)
{
	size_t rows = 0;
	int r = 0;

	while (!row->failed && (r = query_next(row->query)) > 0) {
		if (++rows > MOST_FINDINGS) {
			reject(row, "more than %d rows; only these are shown", MOST_FINDINGS);
			break;
		}
		read_row(row, d);
	}
	if (r == -ETIME)
		reject(row, "took longer than %llu s", (unsigned long long)(MOST_NS / NS_PER_S));
	else if (r < 0 && is_rules_fault(r))
		reject(row, "%s", fail_message());
	else if (r < 0)
		return r;
	return 0;
}

static int ask(struct store *s, const struct rule *rule, const struct rule_steps *steps, struct drafts *d)
{
	_cleanup_(query_freep) struct query *q = NULL;
	struct row row = {.rule = rule, .findings = d->findings};
	int r = prepare(s, rule, steps, clock_mono_ns(), d, &q);

	if (r < 0 || !q)
		return r;
	row.query = q;
	bind(q, rule, d);
	return read_rows(&row, d);
}

int rule_query(struct store *s, const struct rule *rule, struct drafts *d)
{
	_cleanup_(rule_steps_done) struct rule_steps steps;
	uint64_t start = clock_mono_ns();

	rule_steps_init(&steps, rule->sql);
	int r = ask(s, rule, &steps, d);
	for (size_t i = 0; i < steps.count; i++)
		query_drop_kept(s, steps.items[i].table);
	log_debug("%s: asked in %.1f ms", rule->path, (double)(clock_mono_ns() - start) / 1e6);
	return r;
}
