// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cleanup.h"
#include "fail.h"
#include "output.h"
#include "usage.h"

static int run(const struct call *call)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	const struct command *command;

	if (!call->operands.count) {
		usage_add_overview(&text, all_commands);
	} else {
		command = command_find(all_commands, call->operands.items[0]);
		if (!command)
			return failx(-EINVAL, "there is no command '%s'", call->operands.items[0]);
		usage_add_help(&text, command, output_columns(STDOUT_FILENO));
	}
	fputs(text.data, stdout);
	return EXIT_OK;
}

const struct command cmd_help = {
	.name = "help",
	.summary = "explain a command",
	.description = "Without operand, list the commands.",
	.operands = (const struct operand[]){
		{"COMMAND", "the command to explain", .optional = true,
		 .complete = COMPLETE_COMMAND},
		{0}},
	.no_settings = true,
	.run = run,
};
