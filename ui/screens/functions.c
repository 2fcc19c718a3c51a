// SPDX-License-Identifier: BSD-2-Clause
/* On CPU: the functions that take the time, and the tree of who calls whom. */
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "places.h"
#include "profile.h"
#include "table_screen.h"
#include "text.h"
#include "view.h"
#include "window.h"

enum { SELF, TOTAL, SAMPLES, CPU };
enum { FUNCTION, MODULE };
enum { MOST_NODES = 4000, STACK_FRAMES = 24 };
#define SMALLEST_NODE 0.005 /* of the whole: what is less is merged into its caller */

static const struct column functions[] = {
	{"SELF%", "share of the CPU time in the function itself", .width = 6, .field = SELF, .unit = UNIT_PERCENT},
	{"TOTAL%", "with all that it called", .width = 6, .field = TOTAL, .unit = UNIT_PERCENT},
	{"CPU%", "CPU time with all that it called; 100 is one CPU", .width = 6, .from = 60, .field = CPU, .unit = UNIT_PERCENT},
	{"SAMPLES", "in the function itself: the share is known to about one by their root", .width = 7, .from = 70,
	 .field = SAMPLES},
	{"SHARE", "self", .width = 10, .wide = 30, .from = 90, .kind = COLUMN_SHARE, .field = SELF},
	{"MODULE", "the file that it is in", .width = 18, .wide = 30, .from = 76, .kind = COLUMN_TEXT, .field = MODULE,
	 .ascending = true},
	{"FUNCTION", "the function", .kind = COLUMN_TEXT, .field = FUNCTION, .ascending = true},
	{0},
};

static const struct column tree[] = {
	{"TOTAL%", "share of the CPU time, with all that it called", .width = 6, .field = TOTAL, .unit = UNIT_PERCENT},
	{"SELF%", "in the function itself", .width = 6, .field = SELF, .unit = UNIT_PERCENT},
	{"SHARE", "total", .width = 10, .wide = 30, .from = 70, .kind = COLUMN_SHARE, .field = TOTAL},
	{"FUNCTION", "the function, below its caller", .kind = COLUMN_TEXT, .field = FUNCTION, .tree = true},
	{0},
};

struct sum {
	uint64_t self, total, samples;
	const struct stack_frame *frame;
	uint32_t place; /* of the last stack that counted for its total: recursion counts once */
};

/* Rows are many, their stacks are few: a stack is walked once. By its place in the view. */
struct stack_sum {
	uint64_t value, count;
};

struct sums {
	const struct window *window;
	struct stack_sum *stacks;
	struct sum *items;
	uint64_t all;
};

static void add_row(void *arg, const struct ledger_row *row)
{
	struct sums *s = arg;
	struct stack_sum *sum = &s->stacks[stack_view_place(window_stacks(s->window), row->key[BY_STACK])];

	s->all += row->value;
	sum->value += row->value;
	sum->count += row->count;
}

static void add_stack(struct sums *s, uint32_t place)
{
	struct stack_view *v = window_stacks(s->window);
	const struct stack_sum *of = &s->stacks[place];
	size_t depth;
	const struct stack_frame *const *frames = stack_view_walk(v, stack_view_at(v, place), &depth);

	for (size_t i = 0; i < depth; i++) {
		struct sum *sum = &s->items[frames[i]->function];

		sum->frame = frames[i];
		if (i + 1 == depth) {
			sum->self += of->value;
			sum->samples += of->count;
		}
		if (sum->place != place)
			sum->total += of->value;
		sum->place = place;
	}
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static double percent(uint64_t part, uint64_t all)
{
	return all ? 100.0 * (double)part / (double)all : 0;
}

static void fill_functions(const struct screen_context *c, struct table *t, unsigned flags)
{
	uint32_t count = stack_view_functions(window_stacks(c->window)), end = stack_view_places(window_stacks(c->window));
	_cleanup_free_ struct stack_sum *stacks = xcalloc(end, sizeof(*stacks));
	_cleanup_free_ struct sum *items = xcalloc(count + 1, sizeof(*items));
	struct sums s = {.window = c->window, .stacks = stacks, .items = items};

	profile_each(c, PROFILE_CPU, true, add_row, &s);
	for (uint32_t i = 1; i < end; i++)
		if (stacks[i].value)
			add_stack(&s, i);
	for (uint32_t i = 0; i < count; i++) {
		struct sum *sum = &s.items[i];
		struct record *r;

		if (!sum->total)
			continue;
		r = table_append(t);
		r->key = i + 1;
		r->number[SELF] = percent(sum->self, s.all);
		r->number[TOTAL] = percent(sum->total, s.all);
		r->number[CPU] = percent(sum->total, window_ns(c->window));
		r->number[SAMPLES] = (double)sum->samples;
		r->text[FUNCTION] = sum->frame->name;
		r->text[MODULE] = base_name(sum->frame->module);
		r->dim = sum->frame->kind == CODE_KERNEL;
	}
}

/* Children of a node, heaviest first, each with its own below it. */
static void add_nodes(struct table *t, const struct flame_view *v, uint32_t parent, uint32_t depth, uint64_t branch)
{
	uint32_t children[64], count = 0;

	for (uint32_t i = parent + 1; i < v->nodes[parent].end && count < ARRAY_SIZE(children); i = v->nodes[i].end) {
		uint32_t at = count++;

		for (; at && v->nodes[children[at - 1]].value < v->nodes[i].value; at--)
			children[at] = children[at - 1];
		children[at] = i;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct flame_node *n = &v->nodes[children[i]];
		uint64_t below = i + 1 < count && depth < 64 ? branch | 1ull << depth : branch;
		struct record *r = table_append(t);

		r->key = children[i] + 1;
		r->number[TOTAL] = 100 * n->value / v->total;
		r->number[SELF] = 100 * n->self / v->total;
		r->text[FUNCTION] = table_text(t, "%.*s", (int)n->name_len, n->name);
		r->depth = depth < 64 ? depth : 63;
		r->branch = below;
		r->dim = n->kind == FLAME_KERNEL;
		add_nodes(t, v, children[i], depth + 1, below);
	}
}

static void fill_tree(const struct screen_context *c, struct table *t, unsigned flags)
{
	_cleanup_(flame_freep) struct flame *f = profile_flame(c, PROFILE_CPU, true);
	_cleanup_(flame_view_freep) struct flame_view *v = NULL;

	t->ordered = true;
	if (flame_total(f, FLAME_NEW) <= 0)
		return;
	v = flame_view_new(f, &(struct flame_limits){.min_share = SMALLEST_NODE, .max_frames = MOST_NODES});
	add_nodes(t, v, 0, 0, 0);
}

static void detail(const struct screen_context *c, const struct record *r, unsigned width, struct lines *l)
{
	struct profile_stack stacks[2];
	size_t count = profile_heaviest(c, PROFILE_CPU, true, r->text[FUNCTION], stacks, ARRAY_SIZE(stacks));

	if (starts_with(r->text[FUNCTION], "[jit+"))
		lines_add_folded(l, STYLE_DIM, 0, width, "Code that was made at run time, without names: perfscope doctor says how "
				 "node, java and others tell them.");
	for (size_t i = 0; i < count; i++) {
		const struct window_thread *t = window_find(c->window, stacks[i].task);

		lines_add(l, STYLE_STRONG, 0, "%s stack through it: %.0f ms%s%s, innermost first", i ? "The next" : "The heaviest",
			  (double)stacks[i].value / NS_PER_MS, t ? ", thread " : "", t ? t->comm : "");
		lines_add_stack(l, window_stacks(c->window), stacks[i].stack, 2, STACK_FRAMES);
	}
}

static bool enter(const struct screen_context *c, const struct record *r, struct target *target)
{
	snprintf(target->focus.function, FOCUS_NAME, "%s", r->text[FUNCTION]);
	snprintf(target->focus.module, FOCUS_NAME, "%s", r->text[MODULE]);
	target->screen = "annotate";
	return true;
}

#define NO_SAMPLES "No CPU sample fits: who runs little in the window is not met by samples (+ widens it)."

static const struct table_view views[] = {
	{.name = "functions", .columns = functions, .fill = fill_functions, .detail = detail, .enter = enter, .empty = NO_SAMPLES},
	{.name = "call tree", .columns = tree, .fill = fill_tree, .enter = enter, .empty = NO_SAMPLES},
	{0},
};

static const struct table_screen table = {.views = views};

static const struct key_help keys[] = {
	{"Tab", "Call tree", "functions, or the tree of who calls whom"},
	SCROLL_KEY,
	TABLE_KEYS,
	{0},
};

const struct screen screen_functions = {
	.name = "functions",
	.label = "CPU",
	.key = '4',
	.help = "on CPU: functions and the tree of calls; Enter shows a function's instructions",
	.keys = keys,
	TABLE_SCREEN(&table),
};
