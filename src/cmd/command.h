/* SPDX-License-Identifier: BSD-2-Clause */
/* A command is one file with one `const struct command cmd_NAME` and one word in meson.build. All
 * that users read about it (overview, --help, man page, completion) is made from this struct. */
#pragma once
#include "option.h"

enum {
	EXIT_OK = 0,
	EXIT_FOUND = 1,   /* diagnose, compare: something at or above --fail-on */
	EXIT_FAILED = 2,  /* wrong usage, bad input, or cannot run here */
	EXIT_RECORD = 125 /* perfscope failed; other statuses are the user's program's */
};

/* Shared tables and the command's own, each with the place of its struct in the command's. */
struct option_piece {
	const struct option *rows;
	size_t offset;
};

struct operand {
	const char *name; /* "FILE" */
	const char *help;
	bool optional;
	bool rest; /* all that follow, too: the last operand only */
	const char *const *choices; /* NULL-terminated: nothing else is accepted */
	enum complete complete;
};

struct example {
	const char *line; /* as typed in a shell */
	const char *help;
};

struct exit_meaning {
	const char *status;
	const char *meaning;
};

struct call {
	const struct command *command;
	const void *options; /* the command's struct: defaults, settings and command line merged */
	struct operands operands; /* their number has been checked against the table */
	bool quiet;
};

struct command {
	const char *name;
	const char *summary;     /* one line, lower case, no full stop */
	const char *description; /* paragraphs, empty lines between; indented: verbatim */
	const struct operand *operands;     /* ends with {0}; NULL: none */
	const struct option_piece *options; /* ends with {0}; NULL: only the common ones */
	size_t options_size;                /* of the command's struct */
	const void *defaults;               /* such a struct; NULL: all zero */
	const struct example *examples;     /* ends with {0} */
	const struct exit_meaning *exits;   /* ends with {0}; NULL: 0 and 2 */
	bool runs_command; /* operands are a program and its arguments: options end at the first */
	bool no_settings;  /* works whatever the settings files say, and has no section there */
	bool hidden;       /* for the build and the completion, not for users */
	/* The exit status, or a negative errno: then the message of fail() is printed and perfscope
	 * ends with EXIT_FAILED (EXIT_RECORD if the operands are a program). Results go to stdout,
	 * which is flushed and checked afterwards. SIGPIPE is ignored. */
	int (*run)(const struct call *call);
};

/* Every command has these. */
struct common_options {
	bool help, quiet, verbose;
};
extern const struct option common_option_rows[];

extern const struct command *const all_commands[]; /* in the overview's order, ends with NULL */
const struct command *command_find(const struct command *const *commands, const char *name);

/* The options of one command with room for their values. */
struct command_options {
	struct common_options common;
	void *own; /* command->options_size bytes */
	struct option_set sets[8];
};
/* All options get their defaults. */
void command_options_init(struct command_options *co, const struct command *command);
void command_options_done(struct command_options *co); /* frees lists, too */

/* Check the number and choices of operands. -EINVAL with a message. */
int command_check_operands(const struct command *command, const struct operands *operands);
