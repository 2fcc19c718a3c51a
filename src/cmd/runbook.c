// SPDX-License-Identifier: BSD-2-Clause
#include "runbook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "command.h"
#include "fail.h"
#include "log.h"
#include "rule.h"
#include "rule_folders.h"

static int list(const struct rules *rules)
{
	const char *name;

	for (size_t i = 0; (name = runbook_name(i)); i++) {
		_cleanup_(runbook_freep) struct runbook *rb = NULL;
		int r = runbook_open(name, rules, &rb);

		if (r < 0)
			return r;
		printf("%-16s %s\n", name, rb->issue);
	}
	return EXIT_OK;
}

static int show(const char *name, const struct rules *rules)
{
	_cleanup_(runbook_freep) struct runbook *rb = NULL;
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	int r = runbook_open(name, rules, &rb);

	if (r < 0)
		return r;
	runbook_markdown(rb, &text);
	fwrite(text.data, 1, text.len, stdout);
	return EXIT_OK;
}

static int check(const char *path, const struct rules *rules)
{
	_cleanup_(runbook_freep) struct runbook *rb = NULL;
	int r = runbook_open(path, rules, &rb);

	if (r < 0)
		return r;
	log_info("%s: %zu steps, no mistakes", path, rb->step_count);
	return EXIT_OK;
}

static int run(const struct call *call)
{
	_cleanup_(rule_folders_freep) struct rule_folders *folders = rule_folders_new();
	_cleanup_(rules_freep) struct rules *rules = rules_new(rule_folders_list(folders));
	const char *action = call->operands.items[0];
	const char *name = call->operands.count > 1 ? call->operands.items[1] : NULL;

	if (!strcmp(action, "list"))
		return name ? failx(-EINVAL, "list takes no name") : list(rules);
	if (!name)
		return failx(-EINVAL, "%s what?", action);
	return !strcmp(action, "show") ? show(name, rules) : check(name, rules);
}

const struct command cmd_runbook = {
	.name = "runbook",
	.summary = "what to do in an incident, step by step",
	.description =
		"A runbook is an issue, its likely causes, steps and solutions, written as data: "
		"a duration to record, rules to ask, queries over the recording, threads of the culprit. diagnose "
		"--runbook takes the steps; commands are run with --allow-exec only.\n\n"
		"list names the built-in ones, show prints one as Markdown, check reads a file of "
		"yours and says line and column of a mistake.",
	.operands = (const struct operand[]){
		{"ACTION", "list, show or check",
		 .choices = (const char *const[]){"list", "show", "check", NULL}},
		{"NAME", "a runbook's name, or a file", .optional = true,
		 .complete = COMPLETE_RUNBOOK},
		{0}},
	.examples = (const struct example[]){
		{"perfscope runbook show high-cpu", "read one"},
		{"sudo perfscope diagnose --runbook high-cpu", "take its steps"},
		{"perfscope runbook check ./ours.yaml", "is it well written?"},
		{0}},
	.run = run,
};
