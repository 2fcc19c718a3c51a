// SPDX-License-Identifier: BSD-2-Clause
#include "profile.h"

#include <fnmatch.h>
#include <string.h>

#include "mem.h"
#include "places.h"
#include "stack_view.h"
#include "text.h"
#include "window.h"

static bool is_of(const char *metric, const char *pattern, bool idle)
{
	return !fnmatch(pattern, metric, 0) && (idle || !starts_with(metric, "wait.") || is_held_up_metric(metric));
}

void profile_each(const struct screen_context *c, enum profile profile, bool idle,
		  void (*add)(void *arg, const struct ledger_row *row), void *arg)
{
	const char *pattern = profile_metric(profile);
	const struct ledger_row *row;
	uint32_t metrics = 0, metric, cursor;

	while ((metric = window_next_metric(c->window, &metrics)))
		for (cursor = 0; is_of(window_metric_name(c->window, metric), pattern, idle) &&
		     (row = window_next_sample(c->window, metric, &cursor));)
			if (focus_has(&c->focus, c->window, row))
				add(arg, row);
}

struct ranking {
	const struct screen_context *context;
	const char *function;
	struct profile_stack *stacks;
	size_t count, most;
};

static bool leads_through(const struct window *w, uint32_t stack, const char *function)
{
	size_t depth;
	const struct stack_frame *const *frames = stack_view_walk(window_stacks(w), stack, &depth);

	for (size_t i = 0; i < depth; i++)
		if (!strcmp(frames[i]->name, function))
			return true;
	return false;
}

static void rank(void *arg, const struct ledger_row *row)
{
	struct ranking *k = arg;
	size_t at = k->count;

	if (!row->key[BY_STACK] || (k->count == k->most && row->value <= k->stacks[k->most - 1].value) ||
	    (k->function && !leads_through(k->context->window, row->key[BY_STACK], k->function)))
		return;
	at = k->count < k->most ? k->count++ : k->most - 1;
	for (; at && k->stacks[at - 1].value < row->value; at--)
		k->stacks[at] = k->stacks[at - 1];
	k->stacks[at] = (struct profile_stack){row->key[BY_STACK], row->key[BY_TASK], row->value, row->count};
}

size_t profile_heaviest(const struct screen_context *c, enum profile profile, bool idle, const char *function,
			struct profile_stack *stacks, size_t most)
{
	struct ranking k = {.context = c, .function = function, .stacks = stacks, .most = most};

	profile_each(c, profile, idle, rank, &k);
	return k.count;
}
