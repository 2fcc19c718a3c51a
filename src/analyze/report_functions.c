// SPDX-License-Identifier: BSD-2-Clause
/* CPU time by function. */
#include "report_internal.h"

#include <string.h>

#include "arena.h"
#include "mem.h"
#include "stack_weight.h"

struct sums {
	struct stack_view *view;
	struct report_function *functions; /* by stack_frame.function */
	uint32_t *seen;                    /* the last stack in which it was */
	uint32_t round;
};

static void sums_done(struct sums *sums)
{
	free(sums->functions);
	free(sums->seen);
}

static struct report_function *function_of(struct sums *sums, const struct stack_frame *frame)
{
	struct report_function *f = &sums->functions[frame->function];

	if (!f->name)
		*f = (struct report_function){.name = frame->name, .module = frame->module, .kind = frame->kind,
					      .inlined = true};
	/* It counts as inlined only where it never was a function of its own. */
	f->inlined &= frame->inlined;
	return f;
}

/* A function that calls itself counts once in each stack. */
static void add_stack(struct sums *sums, const struct stack_weight *w)
{
	size_t depth;
	const struct stack_frame *const *walk = stack_view_walk(sums->view, w->stack, &depth);

	sums->round++;
	for (size_t i = 0; i < depth; i++) {
		struct report_function *f = function_of(sums, walk[i]);

		if (sums->seen[walk[i]->function] != sums->round)
			f->total += (uint64_t)w->value;
		sums->seen[walk[i]->function] = sums->round;
		if (i + 1 < depth)
			continue;
		f->self += (uint64_t)w->value;
		f->samples += (uint64_t)w->count;
	}
}

static int by_self(const void *a, const void *b)
{
	const struct report_function *x = a, *y = b;

	if (x->self != y->self)
		return x->self < y->self ? 1 : -1;
	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return strcmp(x->name, y->name);
}

static int by_total(const void *a, const void *b)
{
	const struct report_function *x = a, *y = b;

	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return by_self(a, b);
}

/* The view may go before the report, so the names move. */
static void take(struct report *r, struct sums *sums)
{
	uint32_t count = stack_view_functions(sums->view), used = 0;

	for (uint32_t i = 0; i < count; i++)
		if (sums->functions[i].name)
			sums->functions[used++] = sums->functions[i];
	if (used)
		qsort(sums->functions, used, sizeof(*sums->functions), by_self);
	for (uint32_t i = 0; i < used; i++) {
		struct report_function *f = &sums->functions[i];

		f->name = arena_strndup(r->memory, f->name, strlen(f->name));
		f->module = arena_strndup(r->memory, f->module, strlen(f->module));
	}
	r->functions = sums->functions;
	r->function_count = used;
	sums->functions = NULL;
}

int report_add_functions(struct report *r, struct store *s)
{
	_cleanup_(sums_done) struct sums sums = {0};
	_cleanup_free_ struct stack_weight *weights = NULL;
	size_t count;
	int error = stack_weights(s, &(struct stack_filter){.metric = "cpu.time"}, &weights, &count);

	if (error < 0 || (error = stack_view_kept(s, &sums.view)) < 0)
		return error;
	sums.functions = xcalloc(stack_view_functions(sums.view) + 1, sizeof(*sums.functions));
	sums.seen = xcalloc(stack_view_functions(sums.view) + 1, sizeof(*sums.seen));
	for (size_t i = 0; i < count; i++) {
		if (weights[i].value < 0 || weights[i].count < 0)
			continue;
		r->samples += (uint64_t)weights[i].count;
		r->sampled_ns += (uint64_t)weights[i].value;
		add_stack(&sums, &weights[i]);
	}
	take(r, &sums);
	return 0;
}

struct report_function *report_by_total(const struct report *r, size_t limit, size_t *ret_count)
{
	struct report_function *functions = xcalloc(r->function_count + 1, sizeof(*functions));

	if (r->function_count) {
		memcpy(functions, r->functions, r->function_count * sizeof(*functions));
		qsort(functions, r->function_count, sizeof(*functions), by_total);
	}
	*ret_count = r->function_count < limit ? r->function_count : limit;
	return functions;
}
