// SPDX-License-Identifier: BSD-2-Clause
/* The hot instructions of a function. */
#include <math.h>
#include <string.h>

#include "answers.h"
#include "mem.h"
#include "profile.h"
#include "stack_view.h"
#include "table_screen.h"
#include "ui.h"
#include "window.h"

enum { SHARE, SAMPLES, OFFSET };
enum { INSTRUCTION, SOURCE, ADDRESS };

static const struct column columns[] = {
	{"SHARE%", "of the function's own samples", .width = 6, .field = SHARE, .unit = UNIT_PERCENT, .warning = 5, .critical = 20},
	{"", "", .width = 10, .from = 60, .kind = COLUMN_SHARE, .field = SHARE},
	{"SAMPLES", "at the instruction; a sample may stand at the one behind it", .width = 7, .from = 70, .field = SAMPLES},
	{"OFFSET", "in the function", .width = 7, .kind = COLUMN_TEXT, .field = ADDRESS},
	{"SOURCE", "file and line, where they are known", .width = 20, .wide = 40, .from = 90, .kind = COLUMN_TEXT, .field = SOURCE},
	{"INSTRUCTION", "AT&T's syntax, or Intel's (i); where calls and jumps lead", .kind = COLUMN_TEXT, .field = INSTRUCTION},
	{0},
};

/* Without a choice: the innermost function of the heaviest stack that has one outside the kernel, whose code is not kept. */
static bool choose(const struct screen_context *c, char *function, char *module)
{
	struct profile_stack stacks[16];
	size_t count = profile_heaviest(c, PROFILE_CPU, true, NULL, stacks, ARRAY_SIZE(stacks)), depth;

	if (c->focus.function[0]) {
		snprintf(function, FOCUS_NAME, "%s", c->focus.function);
		snprintf(module, FOCUS_NAME, "%s", c->focus.module);
		return true;
	}
	for (size_t i = 0; i < count; i++) {
		const struct stack_frame *const *frames = stack_view_walk(window_stacks(c->window), stacks[i].stack, &depth);

		if (!depth || frames[depth - 1]->kind != CODE_ELF || !frames[depth - 1]->symbol)
			continue;
		snprintf(function, FOCUS_NAME, "%s", frames[depth - 1]->name);
		snprintf(module, FOCUS_NAME, "%s", frames[depth - 1]->module);
		return true;
	}
	return false;
}

static const char *source_of(struct table *t, const json_t *row)
{
	const char *file = answer_text(row, "file"), *slash = strrchr(file, '/');
	double line = answer_number(row, "line");

	return *file && !isnan(line) ? table_text(t, "%s:%.0f", slash ? slash + 1 : file, line) : "";
}

static void add(struct table *t, const json_t *row)
{
	const json_t *target = json_object_get(row, "target");
	const char *name = answer_text(target, "name");
	bool jumped_to = json_is_true(json_object_get(row, "jumped_to"));
	struct record *r = table_append(t);

	r->key = (uint64_t)answer_number(row, "offset") + 1;
	r->number[SHARE] = answer_number(row, "percent");
	r->number[SAMPLES] = answer_number(row, "samples");
	r->text[ADDRESS] = table_text(t, "%s%6llx", jumped_to ? ">" : " ", (unsigned long long)answer_number(row, "offset"));
	r->text[SOURCE] = source_of(t, row);
	if (json_is_true(json_object_get(target, "inside")))
		name = table_text(t, "+0x%llx", (unsigned long long)(answer_number(target, "address") - answer_number(row, "address") +
								     answer_number(row, "offset")));
	r->text[INSTRUCTION] = table_text(t, "%-8s %s%s%s%s", answer_text(row, "mnemonic"), answer_text(row, "operands"),
					  *name ? "  <" : "", name, *name ? ">" : "");
	r->dim = r->number[SAMPLES] <= 0;
}

static void fill(const struct screen_context *c, struct table *t, unsigned flags)
{
	char function[FOCUS_NAME], module[FOCUS_NAME];
	const json_t *answer, *rows;
	double hottest = 0;

	t->ordered = true;
	if (!c->options->annotation || !choose(c, function, module))
		return;
	answer = c->options->annotation(c->options->arg, function, module, flags & SHOW_IDLE);
	rows = json_object_get(answer, "instructions");
	for (size_t i = 0; i < json_array_size(rows); i++) {
		add(t, json_array_get(rows, i));
		/* Where the eye begins, until the user moves. */
		if (t->records[i].number[SHARE] > hottest && !t->selected && (!t->held || hottest > 0)) {
			hottest = t->records[i].number[SHARE];
			t->held = t->records[i].key;
		}
	}
}

static void draw_title(const json_t *answer, const char *function, struct grid *g, const struct area *a)
{
	const char *error = answer_text(answer, "error");

	if (!*function)
		grid_put(g, a->row, a->column, a->columns, STYLE_DIM, "No function with a CPU sample fits; choose one on screen 4.");
	else if (!answer)
		grid_putf(g, a->row, a->column, a->columns, STYLE_DIM, "Looking for the code of %s.", function);
	else if (*error)
		grid_putf(g, a->row, a->column, a->columns, STYLE_DIM, "%s: %s", function, error);
	else
		grid_putf(g, a->row, a->column, a->columns, STYLE_STRONG, "%s: %.0f samples, %.0f ms, %.1f %% of all CPU time, in %s",
			  answer_text(answer, "function"), answer_number(answer, "samples"), answer_number(answer, "ms"),
			  answer_number(answer, "percent"), answer_text(answer, "module"));
}

static void draw(const struct screen_context *c, void *state, struct grid *g, const struct area *a)
{
	struct table_state *s = state;
	char function[FOCUS_NAME] = "", module[FOCUS_NAME];
	struct area below = {a->row + 1, a->column, a->rows ? a->rows - 1 : 0, a->columns};
	const json_t *answer = NULL;

	if (!a->rows)
		return;
	if (c->options->annotation && choose(c, function, module))
		answer = c->options->annotation(c->options->arg, function, module, s->flags & SHOW_IDLE);
	draw_title(answer, function, g, a);
	if (s->table.count)
		table_screen_draw(c, state, g, &below);
}

static const struct table_view views[] = {
	{.name = "instructions", .columns = columns, .fill = fill, .empty = ""},
	{0},
};

static const struct table_toggle toggles[] = {{'i', 0, .flag = SHOW_IDLE}, {0}};
static const struct table_screen table = {.views = views, .toggles = toggles};

static const struct key_help keys[] = {
	{"i", "Intel", "Intel's syntax, or AT&T's"},
	TABLE_KEYS,
	{0},
};

const struct screen screen_annotate = {
	.name = "annotate",
	.label = "Asm",
	.key = 'a',
	.help = "the hot instructions of a function: the one that was chosen, or the hottest",
	.keys = keys,
	.table = &table,
	.state_size = sizeof(struct table_state),
	.open = table_screen_open,
	.update = table_screen_update,
	.draw = draw,
	.height = table_screen_height,
	.key_press = table_screen_key,
	.enter = table_screen_enter,
	.close = table_screen_close,
};
