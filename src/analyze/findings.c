// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "findings_internal.h"
#include "hash.h"
#include "mem.h"
#include "rule.h"
#include "rule_answer.h"
#include "rule_helpers.h"
#include "stack_view.h"

const char *severity_name(enum severity severity)
{
	static const char *const names[] = {"info", "warning", "critical"};

	return names[severity];
}

char *findings_copy(struct findings *f, const char *text)
{
	return arena_strndup(f->strings, text, strlen(text));
}

void findings_add_error(struct findings *f, const char *format, ...)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	GROW(f->errors, f->error_count, f->error_capacity);
	f->errors[f->error_count++] = findings_copy(f, text.data);
}

void findings_free(struct findings *f)
{
	if (!f)
		return;
	arena_free(f->strings);
	free(f->items);
	free(f->errors);
	free(f);
}

static int read_answers(const struct rules *rules, struct rule_helpers *helpers, struct drafts *d)
{
	const struct buf *answers = rule_helpers_answers(helpers);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < rules_count(rules); i++) {
		_cleanup_(rule_answer_done) struct rule_answer answer;

		if (rule_answer_read(&answers[i], &answer))
			r = rule_query(rules_get(rules, i), &answer, d);
	}
	return r;
}

static int ask(struct store *s, const struct rules *rules, const struct findings_options *o, struct drafts *d)
{
	_cleanup_(rule_helpers_freep) struct rule_helpers *own = NULL;

	if (!o->helpers)
		own = rule_helpers_new(s, rules, o->only, !o->helped);
	return read_answers(rules, own ? own : o->helpers, d);
}

static int focus_pids(struct store *s, const struct findings_options *o, struct map *pids)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = store_selected_processes(s, &(struct selection){.pid = o->pid, .cgroup = o->cgroup}, &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		map_put(pids, (uint64_t)query_int(q, 1), 1);
	return r;
}

/* The whole machine is looked at, because what harms a process is often another one. */
static int focus(struct store *s, const struct findings_options *o, struct drafts *d)
{
	_cleanup_(map_freep) struct map *pids = map_new();
	int r = focus_pids(s, o, pids);

	for (size_t i = 0; r >= 0 && i < d->count; i++) {
		const struct finding *f = &d->items[i].finding;
		bool touched = false;
		uint64_t value;

		for (size_t t = 0; t < f->affected_count; t++)
			touched |= map_get(pids, f->affected[t].pid, &value);
		d->items[i].folded |= !touched;
	}
	return r;
}

int by_importance(const struct finding *f, const struct finding *g)
{
	if (f->severity != g->severity)
		return (int)g->severity - (int)f->severity;
	if (f->impact < g->impact || f->impact > g->impact)
		return f->impact < g->impact ? 1 : -1;
	return strcmp(f->id, g->id);
}

static int drafts_by_importance(const void *a, const void *b)
{
	const struct draft *x = a, *y = b;

	return x->folded != y->folded ? x->folded - y->folded : by_importance(&x->finding, &y->finding);
}

static int finish(struct store *s, struct drafts *d)
{
	struct stack_view *view = NULL;
	struct findings *f = d->findings;
	int r = 0;

	for (size_t i = 0; i < d->count && !d->items[i].folded; i++) {
		if (d->items[i].selector_count && !view && (r = stack_view_kept(s, &view)) < 0)
			return r;
		if ((r = find_stacks(s, view, f, &d->items[i])) < 0)
			return r;
		GROW(f->items, f->count, f->capacity);
		f->items[f->count++] = d->items[i].finding;
	}
	return 0;
}

int findings_new(struct store *s, const struct rules *rules, const struct findings_options *options,
		 struct findings **ret_findings)
{
	static const struct findings_options none;
	const struct findings_options *o = options ? options : &none;
	_cleanup_(findings_freep) struct findings *f = xcalloc(1, sizeof(*f));
	struct drafts d = {.findings = f};
	const char *error;
	int r, kept = store_keep_totals(s), dropped;

	f->strings = arena_new();
	for (size_t i = 0; (error = rules_error(rules, i)); i++)
		findings_add_error(f, "%s", error);
	r = kept < 0 ? kept : ask(s, rules, o, &d);
	if (r >= 0) {
		fold(&d);
		r = fold_chains(s, o->explained, &d);
	}
	if (r >= 0)
		r = rule_out(s, o->saturation, &d);
	if (r >= 0 && (o->pid || o->cgroup))
		r = focus(s, o, &d);
	if (d.count)
		qsort(d.items, d.count, sizeof(*d.items), drafts_by_importance);
	if (r >= 0)
		r = finish(s, &d);
	free(d.items);
	dropped = kept ? store_drop_totals(s) : 0;
	if (r < 0 || (r = dropped) < 0)
		return r;
	*ret_findings = f;
	f = NULL;
	return 0;
}

enum severity findings_worst(const struct findings *f)
{
	enum severity worst = SEVERITY_INFO;

	for (size_t i = 0; i < f->count; i++)
		worst = f->items[i].severity > worst ? f->items[i].severity : worst;
	return worst;
}
