// SPDX-License-Identifier: BSD-2-Clause
#include "completion.h"

#include <string.h>

#include "cleanup.h"

extern const char completion_bash[]; /* completion.bash: how the table is used */

/* How each shell finds the words of a kind. The bash words are read by _perfscope_offer. */
struct source {
	const char *bash, *zsh, *fish;
};
#define RUNBOOKS "perfscope runbook list 2>/dev/null | cut -d\" \" -f1"
static const struct source sources[] = {
	[COMPLETE_NOTHING] = {"", " ", "-x"},
	[COMPLETE_FILE] = {"files", "_files", "-r -F"},
	[COMPLETE_PID] = {"pids", "_pids", "-x -a '(__fish_complete_pids)'"},
	[COMPLETE_RUNBOOK] = {"runbooks", "{compadd -- $(" RUNBOOKS "); _files}",
			      "-r -F -a '(" RUNBOOKS ")'"},
};

/* What may stand in one place: words that the table knows, or a source. */
struct place {
	struct buf words; /* separated by spaces; empty: none known */
	const struct source *source;
};

static struct place place_of(const char *const *choices, enum complete complete,
			     const struct command *const *commands)
{
	struct place p = {BUF_INIT,
			  &sources[complete == COMPLETE_COMMAND ? COMPLETE_NOTHING : complete]};

	for (; choices && *choices; choices++)
		buf_addf(&p.words, "%s%s", p.words.len ? " " : "", *choices);
	for (; complete == COMPLETE_COMMAND && *commands; commands++)
		if (!(*commands)->hidden)
			buf_addf(&p.words, "%s%s", p.words.len ? " " : "", (*commands)->name);
	return p;
}

static void place_done(struct place *p)
{
	buf_done(&p->words);
}

/* Text inside single quotes, with a backslash before the characters in `special`. */
static void add_quoted(struct buf *b, const char *text, const char *special, const char *quote)
{
	for (; *text; text++) {
		if (*text == '\'') {
			buf_addstr(b, quote);
			continue;
		}
		if (strchr(special, *text))
			buf_addch(b, '\\');
		buf_addch(b, *text);
	}
}

/* Calls `add` for each option of each command that users see. */
static void each_option(struct buf *b, const struct command *const *commands,
			const struct command *command,
			void (*add)(struct buf *, const struct command *, const struct option *,
				    const struct place *))
{
	_cleanup_(command_options_done) struct command_options co;
	struct option_cursor c = {0};
	const struct option *o;

	command_options_init(&co, command);
	while ((o = option_next(co.sets, &c, NULL))) {
		_cleanup_(place_done) struct place p = place_of(o->choices, o->complete, commands);

		add(b, command, o, &p);
	}
}

static void bash_name(struct buf *b, const struct command *command, const struct option *o,
		      const struct place *p)
{
	buf_addf(b, "--%s%s ", o->name, o->type->is_flag ? "" : "=");
}

static void bash_place(struct buf *b, const char *command, const char *key, const struct place *p)
{
	buf_addf(b, "    ['%s %s']='%s%s'\n", command, key,
		 p->words.len ? "words " : p->source->bash, p->words.data);
}

static void bash_value(struct buf *b, const struct command *command, const struct option *o,
		       const struct place *p)
{
	char key[64];

	if (o->type->is_flag)
		return;
	snprintf(key, sizeof(key), "--%s", o->name);
	bash_place(b, command->name, key, p);
	snprintf(key, sizeof(key), "-%c", o->letter);
	if (o->letter)
		bash_place(b, command->name, key, p);
}

static void bash_operands(struct buf *b, const struct command *const *commands,
			  const struct command *command)
{
	int number = 1;

	if (command->runs_command) {
		buf_addf(b, "    ['%s 1']=program\n", command->name);
		return;
	}
	for (const struct operand *o = command->operands; o && o->name; o++) {
		_cleanup_(place_done) struct place p = place_of(o->choices, o->complete, commands);
		char key[16];

		snprintf(key, sizeof(key), o->rest ? "rest" : "%d", number++);
		bash_place(b, command->name, key, &p);
	}
}

void completion_add_bash(struct buf *b, const struct command *const *commands)
{
	_cleanup_(place_done) struct place all = place_of(NULL, COMPLETE_COMMAND, commands);

	buf_addstr(b, "# bash completion for perfscope, made from its option tables.\n"
		      "declare -gA _perfscope_table=(\n");
	buf_addf(b, "    ['-']='%s --help --version'\n", all.words.data);
	for (const struct command *const *c = commands; *c; c++) {
		if ((*c)->hidden)
			continue;
		buf_addf(b, "    ['%s']='", (*c)->name);
		each_option(b, commands, *c, bash_name);
		buf_addstr(b, "'\n");
		each_option(b, commands, *c, bash_value);
		bash_operands(b, commands, *c);
	}
	buf_addstr(b, ")\n");
	buf_addstr(b, completion_bash);
}

static void zsh_text(struct buf *b, const char *text)
{
	add_quoted(b, text, "[]:\\", "'\\''");
}

static void zsh_place(struct buf *b, const struct place *p)
{
	if (p->words.len)
		buf_addf(b, ":(%s)'", p->words.data);
	else
		buf_addf(b, ":%s'", p->source->zsh);
}

static void zsh_option(struct buf *b, const struct command *command, const struct option *o,
		       const struct place *p)
{
	const char *equals = o->type->is_flag ? "" : "=";
	const char *repeat = o->type == &option_strings ? "*" : "";

	buf_addstr(b, " \\\n            ");
	if (o->letter && *repeat)
		buf_addf(b, "'*'{-%c+,--%s=}'[", o->letter, o->name);
	else if (o->letter)
		buf_addf(b, "'(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name, o->letter,
			 *equals ? "+" : "", o->name, equals);
	else
		buf_addf(b, "'%s--%s%s[", repeat, o->name, equals);
	zsh_text(b, o->help);
	buf_addch(b, ']');
	if (o->type->is_flag) {
		buf_addch(b, '\'');
		return;
	}
	buf_addch(b, ':');
	zsh_text(b, o->value ? o->value : o->name);
	zsh_place(b, p);
}

static void zsh_operands(struct buf *b, const struct command *const *commands,
			 const struct command *command)
{
	if (command->runs_command) {
		buf_addstr(b, " \\\n            '*::program:_normal'");
		return;
	}
	for (const struct operand *o = command->operands; o && o->name; o++) {
		_cleanup_(place_done) struct place p = place_of(o->choices, o->complete, commands);

		buf_addf(b, " \\\n            '%s:%s%s", o->rest ? "*" : "",
			 o->optional && !o->rest ? ":" : "", o->name);
		zsh_place(b, &p);
	}
}

void completion_add_zsh(struct buf *b, const struct command *const *commands)
{
	buf_addstr(b, "#compdef perfscope\n"
		      "# zsh completion for perfscope, made from its option tables.\n"
		      "_perfscope() {\n    local curcontext=$curcontext state line\n"
		      "    local -a commands=(\n");
	for (const struct command *const *c = commands; *c; c++)
		if (!(*c)->hidden) {
			buf_addf(b, "        '%s:", (*c)->name);
			zsh_text(b, (*c)->summary);
			buf_addstr(b, "'\n");
		}
	buf_addstr(b, "    )\n    _arguments -C '(- *)'{-h,--help}'[list the commands]' "
		      "'(- *)'{-V,--version}'[print the version]' '1:command:->command' "
		      "'*::argument:->rest'\n"
		      "    case $state in\n    command) _describe command commands ;;\n    rest)\n"
		      "        case $words[1] in\n");
	for (const struct command *const *c = commands; *c; c++) {
		if ((*c)->hidden)
			continue;
		buf_addf(b, "        %s)\n            _arguments -s -S", (*c)->name);
		each_option(b, commands, *c, zsh_option);
		zsh_operands(b, commands, *c);
		buf_addstr(b, " ;;\n");
	}
	buf_addstr(b, "        esac ;;\n    esac\n}\n_perfscope \"$@\"\n");
}

static void fish_text(struct buf *b, const char *text)
{
	buf_addch(b, '\'');
	add_quoted(b, text, "\\", "\\'");
	buf_addstr(b, "'\n");
}

static void fish_place(struct buf *b, const struct place *p)
{
	if (p->words.len)
		buf_addf(b, " -x -a '%s'", p->words.data);
	else
		buf_addf(b, " %s", p->source->fish);
}

static void fish_option(struct buf *b, const struct command *command, const struct option *o,
			const struct place *p)
{
	buf_addf(b, "complete -c perfscope -n '__perfscope_command %s' -l %s", command->name,
		 o->name);
	if (o->letter)
		buf_addf(b, " -s %c", o->letter);
	if (!o->type->is_flag)
		fish_place(b, p);
	buf_addstr(b, " -d ");
	fish_text(b, o->help);
}

static void fish_operands(struct buf *b, const struct command *const *commands,
			  const struct command *command)
{
	for (const struct operand *o = command->operands; o && o->name; o++) {
		_cleanup_(place_done) struct place p = place_of(o->choices, o->complete, commands);

		if (!p.words.len && p.source == &sources[COMPLETE_NOTHING] &&
		    !command->runs_command)
			continue;
		buf_addf(b, "complete -c perfscope -n '__perfscope_command %s'", command->name);
		if (command->runs_command)
			buf_addstr(b, " -a '(__fish_complete_subcommand --commandline)'");
		else
			fish_place(b, &p);
		buf_addch(b, '\n');
	}
}

void completion_add_fish(struct buf *b, const struct command *const *commands)
{
	buf_addstr(b, "# fish completion for perfscope, made from its option tables.\n"
		      "function __perfscope_command\n    set -l words (commandline -opc)\n"
		      "    test (count $words) -ge 2; and test $words[2] = $argv[1]\nend\n"
		      "complete -c perfscope -f\n"
		      "complete -c perfscope -n __fish_use_subcommand -l version "
		      "-d 'print the version'\n");
	for (const struct command *const *c = commands; *c; c++) {
		if ((*c)->hidden)
			continue;
		buf_addf(b, "complete -c perfscope -n __fish_use_subcommand -a %s -d ", (*c)->name);
		fish_text(b, (*c)->summary);
		each_option(b, commands, *c, fish_option);
		fish_operands(b, commands, *c);
	}
}
