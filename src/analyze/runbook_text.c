// SPDX-License-Identifier: BSD-2-Clause
/* Runbooks and what their steps brought to light, for people. */
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "escape.h"
#include "runbook.h"

enum { MOST_COLUMNS = 16, WIDEST = 40 };

static void put(struct buf *b, const char *text)
{
	escape_terminal(b, text, strlen(text));
}

static const char *string_of(const json_t *value)
{
	return json_is_string(value) ? json_string_value(value) : "-";
}

static void widen(size_t widths[MOST_COLUMNS], const json_t *row)
{
	size_t i;
	json_t *cell;

	json_array_foreach(row, i, cell) {
		size_t length = strlen(string_of(cell));

		if (i < MOST_COLUMNS && length > widths[i])
			widths[i] = length < WIDEST ? length : WIDEST;
	}
}

static void add_row(struct buf *b, const size_t widths[MOST_COLUMNS], const json_t *row)
{
	size_t i;
	json_t *cell;

	buf_addstr(b, "     ");
	json_array_foreach(row, i, cell) {
		size_t before = b->len;

		if (i >= MOST_COLUMNS)
			break;
		put(b, string_of(cell));
		for (size_t n = b->len - before; n < widths[i] && i + 1 < json_array_size(row); n++)
			buf_addch(b, ' ');
		buf_addstr(b, i + 1 < json_array_size(row) ? "  " : "\n");
	}
}

static void add_table(struct buf *b, const json_t *columns, const json_t *rows)
{
	size_t widths[MOST_COLUMNS] = {0}, i;
	json_t *row;

	widen(widths, columns);
	json_array_foreach(rows, i, row)
		widen(widths, row);
	add_row(b, widths, columns);
	json_array_foreach(rows, i, row)
		add_row(b, widths, row);
}

static void add_found(struct buf *b, const json_t *found)
{
	size_t i;
	json_t *item;

	json_array_foreach(found, i, item) {
		buf_addf(b, "     %s ", string_of(json_object_get(item, "severity")));
		put(b, string_of(json_object_get(item, "id")));
		buf_addstr(b, ": ");
		put(b, string_of(json_object_get(item, "title")));
		buf_addch(b, '\n');
	}
	if (!json_array_size(found))
		buf_addstr(b, "     nothing\n");
}

/* Lines of a command or a dump, under the step. */
static void add_output(struct buf *b, const char *text)
{
	for (const char *line = text, *end; line && *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		buf_addstr(b, "     ");
		escape_terminal(b, line, (size_t)(end - line));
		buf_addch(b, '\n');
	}
}

static void add_step(struct buf *b, size_t number, const json_t *step)
{
	const json_t *found = json_object_get(step, "found"), *rows = json_object_get(step, "rows");
	const json_t *note = json_object_get(step, "note"), *error = json_object_get(step, "error");

	buf_addf(b, "%2zu. ", number);
	put(b, string_of(json_object_get(step, "name")));
	if (!json_is_true(json_object_get(step, "ran"))) {
		buf_addstr(b, ": ");
		put(b, string_of(json_object_get(step, "why_not")));
		buf_addch(b, '\n');
		return;
	}
	buf_addch(b, '\n');
	add_output(b, json_string_value(json_object_get(step, "output")));
	if (found)
		add_found(b, found);
	if (rows)
		add_table(b, json_object_get(step, "columns"), rows);
	if (error) {
		buf_addstr(b, "     failed: ");
		put(b, string_of(error));
		buf_addch(b, '\n');
	}
	if (note) {
		buf_addstr(b, "     ");
		put(b, string_of(note));
		buf_addch(b, '\n');
	}
}

void runbook_result_text(const json_t *result, struct buf *text)
{
	size_t i;
	json_t *item;

	buf_addstr(text, "Runbook ");
	put(text, string_of(json_object_get(result, "name")));
	buf_addstr(text, ": ");
	put(text, string_of(json_object_get(result, "issue")));
	buf_addch(text, '\n');
	json_array_foreach(json_object_get(result, "steps"), i, item)
		add_step(text, i + 1, item);
	buf_addstr(text, "Solutions\n");
	json_array_foreach(json_object_get(result, "solutions"), i, item) {
		buf_addstr(text, "  - ");
		put(text, string_of(item));
		buf_addch(text, '\n');
	}
}

static void add_code(struct buf *b, const char *language, const char *indent, const char *text)
{
	buf_addf(b, "\n%s```%s\n", indent, language);
	for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		buf_addstr(b, indent);
		escape_terminal(b, line, (size_t)(end - line));
		buf_addch(b, '\n');
	}
	buf_addf(b, "%s```\n", indent);
}

static void add_markdown_action(struct buf *b, const struct runbook_step *step)
{
	static const char *const words[RUNBOOK_ACTIONS] = {
		[RUNBOOK_COLLECT] = ": record for ", [RUNBOOK_WAIT] = ": wait for ", [RUNBOOK_RULES] = ": ask ",
		[RUNBOOK_THREADS] = ": look at the threads of the ", [RUNBOOK_FLAMEGRAPH] = ": draw a flame graph of the culprit, kind ",
		[RUNBOOK_EXEC] = ": with --allow-exec, run "};

	if (words[step->action])
		buf_addstr(b, words[step->action]);
	if (step->ns)
		buf_addf(b, "%g s", (double)step->ns / NS_PER_S);
	for (const char *const *id = step->rules; id && *id; id++)
		buf_addf(b, "%s`%s`", id == (const char *const *)step->rules ? "" : ", ", *id);
	if (step->text && step->action != RUNBOOK_QUERY) {
		buf_addch(b, '`');
		put(b, step->text);
		buf_addch(b, '`');
	}
}

static void add_markdown_step(struct buf *b, size_t number, const struct runbook_step *step)
{
	buf_addf(b, "%zu. **", number);
	put(b, step->name);
	buf_addstr(b, "**");
	if (step->when && strcmp(step->when, "nothing"))
		buf_addf(b, " (if `%s` was found)", step->when);
	else if (step->when)
		buf_addstr(b, " (if nothing was found)");
	add_markdown_action(b, step);
	buf_addch(b, '\n');
	if (step->note) {
		buf_addstr(b, "\n   ");
		put(b, step->note);
		buf_addch(b, '\n');
	}
	if (step->action == RUNBOOK_QUERY)
		add_code(b, "sql", "   ", step->text);
}

void runbook_markdown(const struct runbook *rb, struct buf *b)
{
	buf_addstr(b, "# ");
	put(b, rb->name);
	buf_addstr(b, "\n\n");
	put(b, rb->issue);
	buf_addstr(b, "\n\n## Causes\n\n");
	for (size_t i = 0; i < rb->cause_count; i++) {
		buf_addstr(b, "* ");
		put(b, rb->causes[i]);
		buf_addch(b, '\n');
	}
	buf_addstr(b, "\n## Steps\n\n");
	for (size_t i = 0; i < rb->step_count; i++)
		add_markdown_step(b, i + 1, &rb->steps[i]);
	buf_addstr(b, "\n## Solutions\n\n");
	for (size_t i = 0; i < rb->solution_count; i++) {
		const struct runbook_solution *s = &rb->solutions[i];

		buf_addstr(b, "* ");
		if (s->when)
			buf_addf(b, "`%s`: ", s->when);
		put(b, s->text);
		buf_addch(b, '\n');
	}
}
