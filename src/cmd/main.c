// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "cleanup.h"
#include "commands.h"
#include "fail.h"
#include "log.h"
#include "output.h"
#include "settings.h"
#include "suggest.h"
#include "usage.h"

#define X(name) extern const struct command cmd_##name;
COMMANDS
#undef X

#define X(name) &cmd_##name,
const struct command *const all_commands[] = {COMMANDS NULL};
#undef X

enum { PLACE_COMMAND_LINE = 100 }; /* after all settings */

static int parse(const struct command *command, int argc, char **argv, struct command_options *co,
		 struct operands *ret_operands)
{
	return option_parse(co->sets, argc, argv, command->runs_command, PLACE_COMMAND_LINE,
			    ret_operands);
}

/* --help must work whatever the settings say, so the command line is read before them, and once
 * more on top of them. */
static int prepare(const struct command *command, int argc, char **argv, struct arena *strings,
		   struct command_options *co, struct operands *ret_operands)
{
	int r = parse(command, argc, argv, co, ret_operands);

	if (r < 0 || co->common.help)
		return r;
	r = command_check_operands(command, ret_operands);
	if (r < 0)
		return r;
	operands_done(ret_operands);
	command_options_done(co);
	command_options_init(co, command);
	r = command->no_settings ? 0 : settings_load(all_commands, command, co, strings);
	return r < 0 ? r : parse(command, argc, argv, co, ret_operands);
}

static void print_help(const struct command *command)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	usage_add_help(&text, command, output_columns(STDOUT_FILENO));
	fputs(text.data, stdout);
}

/* With a program to run, 0 to 124 are its own statuses. */
static int failure_status(const struct command *command, int argc, char **argv)
{
	for (int i = 0; command->runs_command && i < argc; i++)
		if (!strcmp(argv[i], "--"))
			return EXIT_RECORD;
	return EXIT_FAILED;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *strings = arena_new();
	_cleanup_(command_options_done) struct command_options co;
	_cleanup_(operands_done) struct operands operands = {0};
	int r;

	command_options_init(&co, command);
	r = prepare(command, argc, argv, strings, &co, &operands);
	if (r < 0) {
		output_error(command->name);
		return failure_status(command, argc, argv);
	}
	if (co.common.help) {
		print_help(command);
		return EXIT_OK;
	}
	log_set_level(co.common.quiet ? LOG_QUIET : co.common.verbose ? LOG_DEBUG : LOG_NORMAL);
	r = command->run(&(struct call){command, co.own, operands, co.common.quiet});
	if (r >= 0)
		return r;
	if (r == -EPIPE && output_flush() == -EPIPE)
		return EXIT_OK; /* whoever read our results has seen enough */
	output_error(command->name);
	return command->runs_command && operands.count ? EXIT_RECORD : EXIT_FAILED;
}

static int unknown_command(const char *name)
{
	struct suggestion s = {.wanted = name, .length = strlen(name)};

	for (const struct command *const *c = all_commands; *c; c++)
		if (!(*c)->hidden)
			suggestion_offer(&s, (*c)->name);
	if (*name == '-')
		failx(-EINVAL,
		      "unknown option %s; options follow the command ('perfscope help' lists all)",
		      name);
	else if (s.best)
		failx(-EINVAL, "there is no command '%s', did you mean '%s'?", name, s.best);
	else
		failx(-EINVAL, "there is no command '%s' ('perfscope help' lists all)", name);
	output_error(NULL);
	return EXIT_FAILED;
}

static int dispatch(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "help";
	const struct command *command;

	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		puts("perfscope " PERFSCOPE_VERSION);
		return EXIT_OK;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	command = command_find(all_commands, name);
	if (!command)
		return unknown_command(name);
	return run_command(command, argc > 2 ? argc - 2 : 0, argv + 2);
}

int main(int argc, char **argv)
{
	int status, r;

	output_init();
	status = dispatch(argc, argv);
	r = output_flush();
	if (r == 0 || r == -EPIPE)
		return status;
	output_error(NULL);
	return EXIT_FAILED;
}
