// SPDX-License-Identifier: BSD-2-Clause
#include "man.h"

#include <ctype.h>
#include <string.h>

#include "cleanup.h"
#include "usage.h"

extern const char man_chapters[]; /* chapters.man: what holds for all commands */

/* Plain text: nothing in it is a request or an escape, and dashes can be copied into a shell. */
static void add_text(struct buf *b, const char *text, size_t length)
{
	bool line_start = !b->len || b->data[b->len - 1] == '\n';

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (line_start && (c == '.' || c == '\''))
			buf_addstr(b, "\\&");
		if (c == '\\')
			buf_addstr(b, "\\e");
		else if (c == '-')
			buf_addstr(b, "\\-");
		else
			buf_addch(b, c);
		line_start = c == '\n';
	}
}

static void add_line(struct buf *b, const char *text)
{
	add_text(b, text, strlen(text));
	buf_addch(b, '\n');
}

static void add_verbatim(struct buf *b, const char *text, size_t length)
{
	buf_addstr(b, ".PP\n.nf\n");
	add_text(b, text, length);
	buf_addstr(b, "\n.fi\n");
}

static void add_paragraphs(struct buf *b, const char *text)
{
	for (bool first = true; *text; first = false) {
		const char *end = strstr(text, "\n\n");
		size_t length = end ? (size_t)(end - text) : strlen(text);

		if (*text == ' ' || *text == '\t') {
			add_verbatim(b, text, length);
		} else {
			buf_addstr(b, first ? "" : ".PP\n");
			add_text(b, text, length);
			buf_addch(b, '\n');
		}
		text += length + (end ? 2 : 0);
	}
}

static void add_title(struct buf *b, const char *name, const char *version)
{
	buf_addstr(b, ".TH ");
	for (; *name; name++)
		buf_addch(b, (char)toupper((unsigned char)*name));
	buf_addf(b, " 1 \"\" \"perfscope %s\" \"User Commands\"\n.nh\n.SH NAME\n", version);
}

static void add_term(struct buf *b, const char *term, const char *help)
{
	buf_addstr(b, ".TP\n.B ");
	add_line(b, term);
	add_line(b, help);
}

static void add_option(struct buf *b, const struct option *o, const void *field)
{
	_cleanup_(buf_done) struct buf help = BUF_INIT, value = BUF_INIT;

	buf_addstr(b, ".TP\n");
	if (o->letter)
		buf_addf(b, "\\fB\\-%c\\fR, ", o->letter);
	buf_addstr(b, "\\fB\\-\\-");
	add_text(b, o->name, strlen(o->name));
	buf_addstr(b, "\\fR");
	if (!o->type->is_flag) {
		option_add_value_name(o, &value);
		buf_addstr(b, "=\\fI");
		add_text(b, value.data, value.len);
		buf_addstr(b, "\\fR");
	}
	buf_addch(b, '\n');
	option_add_help(o, field, &help);
	add_line(b, help.data);
}

static void add_options(struct buf *b, const struct command *command)
{
	_cleanup_(command_options_done) struct command_options co;
	struct option_cursor c = {0};
	const struct option *o;
	void *field;

	buf_addstr(b, ".SH OPTIONS\n");
	command_options_init(&co, command);
	while ((o = option_next(co.sets, &c, &field)))
		add_option(b, o, field);
}

static void add_exits(struct buf *b, const struct exit_meaning *exits)
{
	static const struct exit_meaning usual[] = {
		{"0", "done"},
		{"2", "wrong usage, bad input, or it cannot run here: standard error says what and "
		      "how to mend it"},
		{0},
	};

	buf_addstr(b, ".SH EXIT STATUS\n");
	for (const struct exit_meaning *e = exits ? exits : usual; e->status; e++)
		add_term(b, e->status, e->meaning);
}

static void add_examples(struct buf *b, const struct example *examples)
{
	buf_addstr(b, ".SH EXAMPLES\n");
	for (const struct example *e = examples; e->line; e++)
		add_term(b, e->line, e->help);
}

void man_add_command(struct buf *page, const struct command *command, const char *version)
{
	_cleanup_(buf_done) struct buf name = BUF_INIT, synopsis = BUF_INIT;

	buf_addf(&name, "perfscope-%s", command->name);
	usage_add_synopsis(&synopsis, command);
	add_title(page, name.data, version);
	add_text(page, name.data, name.len);
	buf_addstr(page, " \\- ");
	add_line(page, command->summary);
	buf_addstr(page, ".SH SYNOPSIS\n.B perfscope\n");
	add_line(page, synopsis.data);
	buf_addstr(page, ".SH DESCRIPTION\n");
	add_paragraphs(page, command->description ? command->description : command->summary);
	if (command->operands)
		buf_addstr(page, ".SH OPERANDS\n");
	for (const struct operand *o = command->operands; o && o->name; o++)
		add_term(page, o->name, o->help);
	add_options(page, command);
	add_exits(page, command->exits);
	if (command->examples)
		add_examples(page, command->examples);
	buf_addstr(page, ".SH SEE ALSO\n.BR perfscope (1)\n");
}

void man_add_overview(struct buf *page, const struct command *const *commands, const char *version)
{
	add_title(page, "perfscope", version);
	buf_addstr(page,
		   "perfscope \\- find out why a machine or a program is slow\n"
		   ".SH SYNOPSIS\n.B perfscope\nCOMMAND [OPTION...] [OPERAND...]\n"
		   ".SH DESCRIPTION\n"
		   "perfscope records with BPF what a Linux machine does, at a cost set by the\n"
		   "sampling rate, into one file, and shows from it where time goes, who waits\n"
		   "for whom, and what the bottleneck is. Each command has a page of its own.\n"
		   ".SH COMMANDS\n");
	for (const struct command *const *c = commands; *c; c++)
		if (!(*c)->hidden) {
			buf_addf(page, ".TP\n.BR perfscope\\-%s (1)\n", (*c)->name);
			add_line(page, (*c)->summary);
		}
	buf_addstr(page, man_chapters);
}
