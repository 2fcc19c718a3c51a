// SPDX-License-Identifier: BSD-2-Clause
#include "usage.h"

#include <string.h>

#include "cleanup.h"
#include "wrap.h"

#define HELP_COLUMN 28 /* where the explanations start */

static void add_term(struct buf *b, const char *term, const char *help, unsigned columns)
{
	size_t length = strlen(term);

	buf_addf(b, "  %s", term);
	if (length + 4 > HELP_COLUMN)
		buf_addf(b, "\n%*s", HELP_COLUMN, "");
	else
		buf_addf(b, "%*s", (int)(HELP_COLUMN - 2 - length), "");
	wrap_text(b, help, HELP_COLUMN, HELP_COLUMN, columns);
}

static void add_operand(struct buf *b, const struct operand *o, bool runs_command)
{
	buf_addf(b, " %s%s%s%s%s", o->optional ? "[" : "", runs_command ? "-- " : "", o->name,
		 o->rest ? (runs_command ? " ARG..." : "...") : "", o->optional ? "]" : "");
}

void usage_add_synopsis(struct buf *text, const struct command *command)
{
	buf_addf(text, "%s [OPTION...]", command->name);
	for (const struct operand *o = command->operands; o && o->name; o++)
		add_operand(text, o, command->runs_command);
}

static void add_option(struct buf *b, const struct option *o, const void *field, unsigned columns)
{
	_cleanup_(buf_done) struct buf term = BUF_INIT, help = BUF_INIT;

	if (o->letter)
		buf_addf(&term, "-%c, ", o->letter);
	else
		buf_addstr(&term, "    ");
	buf_addf(&term, "--%s", o->name);
	if (!o->type->is_flag) {
		buf_addch(&term, '=');
		option_add_value_name(o, &term);
	}
	option_add_help(o, field, &help);
	add_term(b, term.data, help.data, columns);
}

static void add_paragraphs(struct buf *b, const char *text, unsigned columns)
{
	while (*text) {
		const char *end = strstr(text, "\n\n");
		size_t length = end ? (size_t)(end - text) : strlen(text);
		_cleanup_(buf_done) struct buf paragraph = BUF_INIT;

		buf_add(&paragraph, text, length);
		buf_addch(b, '\n');
		if (*text == ' ' || *text == '\t') {
			buf_addf(b, "%s\n", paragraph.data);
		} else {
			for (char *p = paragraph.data; *p; p++)
				*p = *p == '\n' ? ' ' : *p;
			wrap_text(b, paragraph.data, 0, 0, columns);
		}
		text += length + (end ? 2 : 0);
	}
}

static void add_examples(struct buf *b, const struct example *examples, unsigned columns)
{
	buf_addstr(b, "\nExamples:\n");
	for (const struct example *e = examples; e->line; e++) {
		buf_addf(b, "  %s\n      ", e->line);
		wrap_text(b, e->help, 6, 6, columns);
	}
}

void usage_add_help(struct buf *text, const struct command *command, unsigned width)
{
	unsigned columns = width < 50 ? 50 : width > 100 ? 100 : width;
	_cleanup_(command_options_done) struct command_options co;
	struct option_cursor c = {0};
	const struct option *o;
	void *field;

	command_options_init(&co, command);
	buf_addstr(text, "Usage: perfscope ");
	usage_add_synopsis(text, command);
	buf_addch(text, '\n');
	if (command->description)
		add_paragraphs(text, command->description, columns);
	if (command->operands) {
		buf_addstr(text, "\nOperands:\n");
		for (const struct operand *p = command->operands; p->name; p++)
			add_term(text, p->name, p->help, columns);
	}
	buf_addstr(text, "\nOptions:\n");
	while ((o = option_next(co.sets, &c, &field)))
		add_option(text, o, field, columns);
	if (command->examples)
		add_examples(text, command->examples, columns);
}

void usage_add_overview(struct buf *text, const struct command *const *commands)
{
	buf_addstr(text, "perfscope finds out why a machine or a program is slow.\n\n"
			 "Usage: perfscope COMMAND [OPTION...]\n\nCommands:\n");
	for (; *commands; commands++)
		if (!(*commands)->hidden)
			buf_addf(text, "  %-12s %s\n", (*commands)->name, (*commands)->summary);
	buf_addstr(text, "\n'perfscope COMMAND --help' explains a command, 'man perfscope' all;\n"
			 "'perfscope --version' prints the version.\n");
}
