/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings files: YAML, command names with option names below them; `all` is for every command.
 *
 *	all: {quiet: true}
 *	record: {frequency: 199, output: /var/tmp/perfscope.db}
 *
 * /etc/perfscope/perfscope.yaml, then ~/.config/perfscope/perfscope.yaml, each in full over the one
 * before. A file is believed only when it belongs to root or to the effective user and nobody else
 * can write it: under sudo with the caller's HOME, the caller's file would otherwise choose what
 * root writes. Such a file is left out with a warning. */
#pragma once
#include "command.h"

struct arena;

/* -EINVAL or the errno of reading, with a message that names file, line and column. Strings are
 * kept in `strings`, which must outlive the options. */
int settings_load(const struct command *const *commands, const struct command *command,
		  struct command_options *co, struct arena *strings);

/* One file. The settings of all commands are checked, those of `command` are stored in co. */
int settings_load_file(const char *path, const struct command *const *commands,
		       const struct command *command, struct command_options *co,
		       struct arena *strings, unsigned place);
