// SPDX-License-Identifier: BSD-2-Clause
/* Taking a runbook's steps. */
#include <errno.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "escape.h"
#include "fail.h"
#include "findings.h"
#include "runbook.h"
#include "store_guard.h"

#define MOST_NS (10 * NS_PER_S)
enum { MOST_ROWS = 100 };

static json_t *text(const char *bytes)
{
	_cleanup_(buf_done) struct buf valid = BUF_INIT;

	escape_utf8(&valid, bytes, strlen(bytes));
	return json_stringn(valid.data, valid.len);
}

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

static json_t *found(const struct runbook_step *step, const struct findings *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->count; i++)
		for (const char *const *id = step->rules; *id; id++)
			if (!strcmp(*id, f->items[i].id))
				json_array_append_new(
					array, json_pack("{so ss so}", "id", text(*id), "severity",
							 severity_name(f->items[i].severity),
							 "title", text(f->items[i].title)));
	return array;
}

static json_t *row_of(struct query *q)
{
	json_t *row = json_array();

	for (int i = 0; i < query_columns(q); i++)
		json_array_append_new(row,
				      query_is_null(q, i) ? json_null() : text(query_text(q, i)));
	return row;
}

static int ask(const struct runbook_step *step, struct store *s, json_t *result)
{
	_cleanup_(query_freep) struct query *q = NULL;
	json_t *columns = json_array(), *rows = json_array();
	int offset, r;

	json_object_set_new(result, "columns", columns);
	json_object_set_new(result, "rows", rows);
	r = query_new_guarded(s, step->query, MOST_NS, &q, &offset);
	if (r < 0)
		return r;
	for (int i = 0; i < query_columns(q); i++)
		json_array_append_new(columns, text(query_column_name(q, i)));
	while (json_array_size(rows) < MOST_ROWS && (r = query_next(q)) > 0)
		json_array_append_new(rows, row_of(q));
	return r;
}

/* A question that fails is a result, too: the other steps are still taken. */
static json_t *take(const struct runbook_step *step, struct store *s, const struct findings *f)
{
	json_t *result =
		json_pack("{so sb}", "name", text(step->name), "ran", applies(f, step->when));

	if (step->note)
		json_object_set_new(result, "note", text(step->note));
	if (!applies(f, step->when))
		return result;
	if (step->rules)
		json_object_set_new(result, "found", found(step, f));
	else if (step->query && ask(step, s, result) < 0)
		json_object_set_new(result, "error", text(fail_message()));
	return result;
}

int runbook_run(const struct runbook *rb, struct store *s, const struct findings *f,
		json_t **ret_result)
{
	json_t *steps = json_array(), *solutions = json_array();

	for (size_t i = 0; i < rb->step_count; i++)
		json_array_append_new(steps, take(&rb->steps[i], s, f));
	for (size_t i = 0; i < rb->solution_count; i++)
		if (applies(f, rb->solutions[i].when))
			json_array_append_new(solutions, text(rb->solutions[i].text));
	*ret_result = json_pack("{so so so so}", "name", text(rb->name), "issue", text(rb->issue), "steps", steps,
				"solutions", solutions);
	return *ret_result ? 0 : fail(-ENOMEM, "runbook %s", rb->name);
}
