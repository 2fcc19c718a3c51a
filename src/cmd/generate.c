// SPDX-License-Identifier: BSD-2-Clause
/* Manual pages and completion scripts, written by the program that they describe. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "commands.h"
#include "completion.h"
#include "fail.h"
#include "man.h"
#include "mem.h"

static int add_man(struct buf *text, const char *name)
{
	const struct command *command = command_find(all_commands, name);

	if (!command && strcmp(name, "perfscope"))
		return failx(-EINVAL, "there is no command '%s'", name);
	if (command)
		man_add_command(text, command, PERFSCOPE_VERSION);
	else
		man_add_overview(text, all_commands, PERFSCOPE_VERSION);
	return 0;
}

static int add_completion(struct buf *text, const char *shell)
{
	static const struct {
		const char *name;
		void (*add)(struct buf *, const struct command *const *);
	} shells[] = {
		{"bash", completion_add_bash},
		{"zsh", completion_add_zsh},
		{"fish", completion_add_fish},
	};

	for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
		if (!strcmp(shells[i].name, shell)) {
			shells[i].add(text, all_commands);
			return 0;
		}
	return failx(-EINVAL, "'%s' is not one of bash, zsh, fish", shell);
}

static int run(const struct call *call)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	char **operands = call->operands.items;
	bool man = !strcmp(operands[0], "man");
	int r = man ? add_man(&text, operands[1]) : add_completion(&text, operands[1]);

	if (r < 0)
		return r;
	fputs(text.data, stdout);
	return EXIT_OK;
}

const struct command cmd_generate = {
	.name = "generate",
	.summary = "write a manual page or a completion script",
	.operands = (const struct operand[]){
		{"WHAT", "what to write",
		 .choices = (const char *const[]){"man", "completion", NULL}},
		{"NAME", "a command, 'perfscope' or a shell"},
		{0}},
	.no_settings = true,
	.hidden = true,
	.run = run,
};
