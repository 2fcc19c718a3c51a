// SPDX-License-Identifier: BSD-2-Clause
/* Taking a runbook's steps. */
#include <errno.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "json_text.h"
#include "fail.h"
#include "findings.h"
#include "runbook.h"
#include "store_guard.h"

#define MOST_NS (10 * NS_PER_S)
enum { MOST_ROWS = 100 };

static bool is_found(const struct findings *f, const char *id)
{
	for (size_t i = 0; i < f->count; i++)
		if (!strcmp(f->items[i].id, id))
			return true;
	return false;
}

static bool applies(const struct findings *f, const char *when)
{
	if (!when)
		return true;
	return strcmp(when, "nothing") ? is_found(f, when) : findings_worst(f) < SEVERITY_WARNING;
}

/* What a run of the steps goes by; collecting again changes what is asked. */
struct run {
	struct store *store;
	const struct findings *findings;
	const struct runbook_actions *actions;
	bool interrupted;
};

static int found(const struct run *run, const struct runbook_step *step, json_t *result)
{
	const struct findings *f = run->findings;
	json_t *array = json_array();

	for (size_t i = 0; i < f->count; i++)
		for (const char *const *id = step->rules; *id; id++)
			if (!strcmp(*id, f->items[i].id))
				json_array_append_new(
					array, json_pack("{so ss so}", "id", json_text(*id), "severity",
							 severity_name(f->items[i].severity),
							 "title", json_text(f->items[i].title)));
	return json_object_set_new(result, "found", array);
}

static json_t *row_of(struct query *q)
{
	json_t *row = json_array();

	for (int i = 0; i < query_columns(q); i++)
		json_array_append_new(row,
				      query_is_null(q, i) ? json_null() : json_text(query_text(q, i)));
	return row;
}

static int ask(const struct run *run, const struct runbook_step *step, json_t *result)
{
	_cleanup_(query_freep) struct query *q = NULL;
	json_t *columns = json_array(), *rows = json_array();
	int offset, r;

	json_object_set_new(result, "columns", columns);
	json_object_set_new(result, "rows", rows);
	r = query_new_guarded(run->store, step->text, MOST_NS, &q, &offset);
	if (r < 0)
		return r;
	for (int i = 0; i < query_columns(q); i++)
		json_array_append_new(columns, json_text(query_column_name(q, i)));
	while (json_array_size(rows) < MOST_ROWS && (r = query_next(q)) > 0)
		json_array_append_new(rows, row_of(q));
	return r;
}

/* The first culprit of the first finding that a step is about; NULL: nobody is blamed. */
static const struct finding_task *culprit(const struct findings *f, const char *when)
{
	for (size_t i = 0; i < f->count; i++)
		if ((!when || !strcmp(when, f->items[i].id)) && f->items[i].affected_count &&
		    !strcmp(f->items[i].affected[0].role, "culprit"))
			return &f->items[i].affected[0];
	return NULL;
}

static int act(struct run *run, const struct runbook_step *step, struct buf *output)
{
	const struct runbook_actions *a = run->actions;
	const struct finding_task *who = culprit(run->findings, step->when);

	switch (step->action) {
	case RUNBOOK_COLLECT: return a->collect(a->arg, step->ns, &run->store, &run->findings);
	case RUNBOOK_WAIT: return a->wait(a->arg, step->ns);
	case RUNBOOK_THREADS: return a->threads(a->arg, who->pid, output);
	case RUNBOOK_FLAMEGRAPH: return a->flamegraph(a->arg, step->text, who->pid, output);
	case RUNBOOK_EXEC: return a->execute(a->arg, step->text, output);
	default: return 0;
	}
}

/* Why a step is not taken; NULL: it is. */
static const char *why_not(const struct run *run, const struct runbook_step *step)
{
	static const struct runbook_actions none;
	const struct runbook_actions *a = run->actions ? run->actions : &none;
	bool of_culprit = step->action == RUNBOOK_THREADS || step->action == RUNBOOK_FLAMEGRAPH;

	if (run->interrupted)
		return "interrupted";
	if (!applies(run->findings, step->when))
		return "not called for";
	if (of_culprit && !culprit(run->findings, step->when))
		return "nobody is blamed";
	if ((step->action == RUNBOOK_COLLECT && !a->collect) || (step->action == RUNBOOK_WAIT && !a->wait) ||
	    (step->action == RUNBOOK_THREADS && !a->threads))
		return "only while looking at a machine, not in a recording";
	if (step->action == RUNBOOK_FLAMEGRAPH && !a->flamegraph)
		return "only with -o FOLDER";
	if (step->action == RUNBOOK_EXEC && !a->execute)
		return "only with --allow-exec";
	return NULL;
}

static int do_step(struct run *run, const struct runbook_step *step, json_t *result)
{
	_cleanup_(buf_done) struct buf output = BUF_INIT;
	int r;

	if (step->action == RUNBOOK_RULES)
		return found(run, step, result);
	if (step->action == RUNBOOK_QUERY)
		return ask(run, step, result);
	r = act(run, step, &output);
	if (output.len)
		json_object_set_new(result, "output", json_text(output.data));
	return r;
}

/* A step that fails is a result, too: the others are still taken. The first look has been taken already. */
static json_t *take(struct run *run, const struct runbook_step *step, bool done)
{
	const char *reason = done ? NULL : why_not(run, step);
	json_t *result = json_pack("{so sb}", "name", json_text(step->name), "ran", !reason);

	if (step->note)
		json_object_set_new(result, "note", json_text(step->note));
	if (reason)
		json_object_set_new(result, "why_not", json_text(reason));
	if (done || reason)
		return result;
	int r = do_step(run, step, result);
	if (r < 0)
		json_object_set_new(result, "error", json_text(fail_message()));
	run->interrupted = r == -EINTR;
	return result;
}

int runbook_run(const struct runbook *rb, struct store *s, const struct findings *f, const struct runbook_actions *actions,
		json_t **ret_result)
{
	struct run run = {.store = s, .findings = f, .actions = actions};
	json_t *steps = json_array(), *solutions = json_array();

	for (size_t i = 0; i < rb->step_count; i++)
		json_array_append_new(steps, take(&run, &rb->steps[i], !i && rb->steps[i].action == RUNBOOK_COLLECT));
	for (size_t i = 0; i < rb->solution_count; i++)
		if (applies(run.findings, rb->solutions[i].when))
			json_array_append_new(solutions, json_text(rb->solutions[i].text));
	*ret_result = json_pack("{so so so so}", "name", json_text(rb->name), "issue", json_text(rb->issue), "steps", steps,
				"solutions", solutions);
	return *ret_result ? 0 : fail(-ENOMEM, "runbook %s", rb->name);
}
