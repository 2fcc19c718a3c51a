// SPDX-License-Identifier: BSD-2-Clause
/* The heaviest stacks of a finding: those that go through the same functions are one. */
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "findings_internal.h"
#include "intern.h"
#include "mem.h"
#include "stack_view.h"
#include "stack_weight.h"

enum {
	DEEPEST = 128,
	PER_SELECTOR = 2,
	PER_MEMORY = 4, /* an allocator passes on to one place what another touched first: it takes more of them to see both */
};

struct group {
	uint64_t weight; /* in the metric's unit */
	uint32_t stack; /* one of them */
};

enum unit { UNIT_TIME, UNIT_BYTES, UNIT_COUNT };

struct groups {
	struct intern *keys; /* functions from the root -> index */
	struct group *items;
	size_t count, capacity;
};

static bool passes(const struct stack_frame *const *frames, size_t depth, const char *function)
{
	if (!*function)
		return true;
	for (size_t i = 0; i < depth; i++)
		if (!strcmp(frames[i]->name, function))
			return true;
	return false;
}

static void add(struct groups *g, struct stack_view *view, uint32_t stack, uint64_t weight,
		const char *function)
{
	uint32_t functions[DEEPEST], id;
	size_t depth;
	const struct stack_frame *const *frames = stack_view_walk(view, stack, &depth);
	bool is_new;

	if (!depth || !passes(frames, depth, function))
		return;
	depth = depth < DEEPEST ? depth : DEEPEST;
	for (size_t i = 0; i < depth; i++)
		functions[i] = frames[i]->function;
	id = intern_id(g->keys, functions, depth * sizeof(*functions), &is_new);
	if (is_new) {
		GROW(g->items, g->count, g->capacity);
		g->items[g->count++] = (struct group){.stack = stack};
	}
	g->items[id].weight += weight;
	if (stack < g->items[id].stack)
		g->items[id].stack = stack;
}

static int by_weight(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight < y->weight ? 1 : -1;
	return x->stack < y->stack ? -1 : x->stack > y->stack;
}

static enum unit unit_of(struct store *s, const char *metric)
{
	_cleanup_(query_freep) struct query *q = NULL;

	if (query_new(s, "SELECT CASE unit WHEN 'bytes' THEN 1 WHEN 'count' THEN 2 ELSE 0 END FROM metric WHERE name = :metric", &q) < 0)
		return UNIT_TIME;
	query_bind_text(q, ":metric", metric);
	return query_next(q) > 0 ? (enum unit)query_int(q, 0) : UNIT_TIME;
}

static int collect(struct store *s, struct stack_view *view, const struct stack_selector *selector,
		   struct groups *g)
{
	const struct stack_filter filter = {.metric = selector->metric, .process = (uint32_t)selector->process,
					    .task = (uint32_t)selector->task};
	_cleanup_free_ struct stack_weight *weights = NULL;
	size_t count;
	int r = stack_weights(s, &filter, &weights, &count);

	for (size_t i = 0; r >= 0 && i < count; i++)
		if (weights[i].value > 0)
			add(g, view, weights[i].stack, (uint64_t)weights[i].value, selector->function);
	return r;
}

static void keep(struct findings *f, struct finding *finding, struct stack_view *view,
		 const char *role, enum unit unit, const struct group *group)
{
	struct finding_stack *stack = &finding->stacks[finding->stack_count++];
	size_t depth, skipped;
	const struct stack_frame *const *frames = stack_view_walk(view, group->stack, &depth);

	/* Of what is too deep, the leaf says more. */
	skipped = depth > DEEPEST ? depth - DEEPEST : 0;
	*stack = (struct finding_stack){.role = role, .weight_ms = unit == UNIT_TIME ? (double)group->weight / NS_PER_MS : 0,
					.weight_bytes = unit == UNIT_BYTES ? (double)group->weight : 0, .depth = depth - skipped};
	stack->frames = arena_alloc(f->strings, (stack->depth + 1) * sizeof(*stack->frames));
	for (size_t i = 0; i < stack->depth; i++)
		stack->frames[i] = findings_copy(f, frames[skipped + i]->name);
}

static void keep_given(struct findings *f, struct finding *finding, const struct stack_selector *selector)
{
	size_t skipped = selector->depth > DEEPEST ? selector->depth - DEEPEST : 0;
	struct finding_stack *stack = &finding->stacks[finding->stack_count++];

	*stack = (struct finding_stack){.role = selector->role, .weight_ms = selector->weight_ms, .depth = selector->depth - skipped};
	stack->frames = arena_alloc(f->strings, (stack->depth + 1) * sizeof(*stack->frames));
	for (size_t i = 0; i < stack->depth; i++)
		stack->frames[i] = selector->frames[skipped + i];
}

/* The same code of the same threads is shown once, whoever asked for it. */
static bool is_shown(const struct finding *finding, const struct groups *g, size_t i,
		     const uint32_t *shown)
{
	for (size_t n = 0; n < finding->stack_count; n++)
		if (shown[n] == g->items[i].stack)
			return true;
	return false;
}

int find_stacks(struct store *s, struct stack_view *view, struct findings *f, struct draft *draft)
{
	struct finding *finding = &draft->finding;
	uint32_t shown[MOST_STACKS];

	finding->stacks = arena_alloc(f->strings, MOST_STACKS * sizeof(*finding->stacks));
	for (size_t n = 0; n < draft->selector_count; n++) {
		struct groups g = {0};

		if (draft->selectors[n].frames && finding->stack_count < MOST_STACKS) {
			shown[finding->stack_count] = 0;
			keep_given(f, finding, &draft->selectors[n]);
		}
		if (draft->selectors[n].frames)
			continue;
		g.keys = intern_new();
		int r = collect(s, view, &draft->selectors[n], &g);
		enum unit unit = r >= 0 && g.count ? unit_of(s, draft->selectors[n].metric) : UNIT_TIME;

		if (g.count)
			qsort(g.items, g.count, sizeof(*g.items), by_weight);
		for (size_t i = 0;
		     i < g.count && i < (unit == UNIT_BYTES ? PER_MEMORY : PER_SELECTOR) && finding->stack_count < MOST_STACKS; i++) {
			if (is_shown(finding, &g, i, shown))
				continue;
			shown[finding->stack_count] = g.items[i].stack;
			keep(f, finding, view, draft->selectors[n].role, unit, &g.items[i]);
		}
		intern_free(g.keys);
		free(g.items);
		if (r < 0)
			return r;
	}
	return 0;
}
