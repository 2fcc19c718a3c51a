// SPDX-License-Identifier: BSD-2-Clause
#include "man.h"

#include <ctype.h>
#include <string.h>

#include "cleanup.h"
#include "usage.h"

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
	buf_addstr(&help, o->help);
	option_add_default(o, field, &help);
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
		{"2", "wrong usage, bad input, or it cannot run here: standard error says what and how to mend it"},
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

static const struct {
	const char *title, *text;
} chapters[] = {
	{"OPTIONS",
	 "Options follow the command. A long option takes its value as --option=VALUE or --option VALUE, a short one as "
	 "-oVALUE or -o VALUE; short flags may share one dash. --no-FLAG takes a flag back that the settings have "
	 "set. After --, everything is an operand.\n\n"
	 "Durations are written 500ms, 10s, 5m or 2h; a bare number is seconds. Sizes are bytes, or powers of 1024 "
	 "with K, M, G or T."},
	{"OUTPUT",
	 "Results go to standard output, progress, warnings and errors to standard error. Colour is used on terminals "
	 "only, and not if NO_COLOR is set. Names that other processes chose are shown with control characters "
	 "made visible."},
	{"SETTINGS",
	 "Every option can be set in a file: the names of commands, below them their options by long name; all "
	 "stands for every command that has the option. A repeatable option takes a list.\n\n"
	 "    all: {quiet: true}\n    record:\n      frequency: 199\n      output: /var/tmp/perfscope.db\n\n"
	 "/etc/perfscope/perfscope.yaml is read first, then ~/.config/perfscope/perfscope.yaml, then the options; each "
	 "overrules the one before. ~ is HOME. A file is left out, with a warning, unless it belongs to root or to "
	 "the effective user and nobody else may write it. So under sudo root's settings count; the calling "
	 "user's file counts never, even if sudo keeps that user's HOME: it could choose what root overwrites."},
	{"EXIT STATUS",
	 "0: done; for diagnose and compare nothing was found at or above --fail-on. 1: something was found. 2: "
	 "wrong usage, bad input, or it cannot run here; standard error says what and how to mend it.\n\n"
	 "record with a program ends with the program's own status, 128 and the signal's number if it was killed, 125 "
	 "if perfscope itself failed. An interrupt (SIGINT, SIGTERM) finishes the recording and ends as usual."},
	{"FILES",
	 "perfscope.db in the current folder is the recording that commands write and read when none is named. It is "
	 "an SQLite database."},
};

void man_add_overview(struct buf *page, const struct command *const *commands, const char *version)
{
	add_title(page, "perfscope", version);
	buf_addstr(page, "perfscope \\- find out why a machine or a program is slow\n"
			 ".SH SYNOPSIS\n.B perfscope\nCOMMAND [OPTION...] [OPERAND...]\n"
			 ".SH DESCRIPTION\n");
	add_paragraphs(page, "perfscope records with BPF what a Linux machine does, at a cost set by the sampling "
			     "rate, into one file, and shows from it where time goes, who waits for whom, and what the "
			     "bottleneck is. Each command has a page of its own.");
	buf_addstr(page, ".SH COMMANDS\n");
	for (const struct command *const *c = commands; *c; c++)
		if (!(*c)->hidden) {
			buf_addf(page, ".TP\n.BR perfscope\\-%s (1)\n", (*c)->name);
			add_line(page, (*c)->summary);
		}
	for (size_t i = 0; i < sizeof(chapters) / sizeof(chapters[0]); i++) {
		buf_addf(page, ".SH %s\n", chapters[i].title);
		add_paragraphs(page, chapters[i].text);
	}
}
