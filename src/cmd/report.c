// SPDX-License-Identifier: BSD-2-Clause
#include "report.h"

#include <stdio.h>
#include <unistd.h>

#include "commands.h"
#include "findings.h"
#include "log.h"
#include "output.h"
#include "recording.h"
#include "report_print.h"
#include "report_view.h"
#include "rule.h"
#include "rule_folders.h"
#include "rule_helpers.h"
#include "store_query.h"

enum { TEXT_ROWS = 10, JSON_ROWS = 100, PIPE_WIDTH = 120 };

struct report_options {
	struct select_options select;
	struct format_options format;
	const char *view;
	uint64_t limit;
};

static const struct option rows[] = {
	{"view", 0, OPTION_STRING(struct report_options, view), .value = "NAME",
	 .help = "only the tables of one resource: " VIEW_NAMES},
	{"limit", 'n', OPTION_U64(struct report_options, limit), .value = "N", .min = 1, .max = 1000000,
	 .help = "rows of each list (default: 10; with json 100)"},
	{0},
};

static bool is_part(const struct select_options *select)
{
	return select->pid || select->cgroup;
}

/* What is wrong may lie outside of the processes that were asked for: the rules look at all of them. `helpers` NULL: they have not
 * begun. */
static int find(struct store *s, const struct select_options *select, const struct rules *rules, struct rule_helpers *helpers,
		const struct saturation *saturation, const struct explained *explained, struct findings **ret_findings)
{
	struct select_options when = {.from = select->from, .to = select->to};
	bool part = is_part(select);
	const struct findings_options options = {
		.pid = (uint32_t)select->pid, .cgroup = select->cgroup, .saturation = part ? NULL : saturation,
		.explained = part ? NULL : explained, .helped = true, .helpers = helpers};
	int r = part ? recording_select(s, &when) : 0;

	if (r < 0 || (r = findings_new(s, rules, &options, ret_findings)) < 0)
		return r;
	for (size_t i = 0; i < (*ret_findings)->error_count; i++)
		log_warning("rule left out: %s", (*ret_findings)->errors[i]);
	return 0;
}

static int run(const struct call *call)
{
	const struct report_options *o = call->options;
	_cleanup_(store_freep) struct store *s = NULL;
	_cleanup_(report_freep) struct report *report = NULL;
	_cleanup_(saturation_freep) struct saturation *saturation = NULL;
	_cleanup_(explained_freep) struct explained *explained = NULL;
	_cleanup_(findings_freep) struct findings *findings = NULL;
	_cleanup_(rule_folders_freep) struct rule_folders *folders = NULL;
	_cleanup_(rules_freep) struct rules *rules = NULL;
	_cleanup_(rule_helpers_freep) struct rule_helpers *helpers = NULL;
	_cleanup_(buf_done) struct buf out = BUF_INIT;
	bool json = o->format.format == FORMAT_JSON;
	size_t limit = o->limit ? o->limit : json ? JSON_ROWS : TEXT_ROWS;
	int r = recording_open(recording_path(call), &o->select, &s);

	const struct report_style style = {
		.width = output_is_terminal(STDOUT_FILENO) ? output_columns(STDOUT_FILENO) : PIPE_WIDTH,
		.wraps = output_is_terminal(STDOUT_FILENO),
		.colour = output_colour(STDOUT_FILENO), .limit = limit};
	if (r < 0 || (r = store_keep_totals(s)) < 0)
		return r;
	if (o->view) {
		r = json ? report_view_json(s, o->view, limit, &out) : report_view_text(s, o->view, &style, &out);
		fwrite(out.data, 1, out.len, stdout);
		return r < 0 ? r : EXIT_OK;
	}
	folders = rule_folders_new();
	rules = rules_new(rule_folders_list(folders));
	if (!is_part(&o->select))
		helpers = rule_helpers_new(s, rules, NULL, false);
	if ((r = report_new(s, &report)) < 0 || (r = saturation_new(s, &saturation)) < 0 ||
	    (r = explained_new(s, &explained)) < 0 || (r = find(s, &o->select, rules, helpers, saturation, explained, &findings)) < 0)
		return r;
	const struct report_parts parts = {.report = report, .findings = findings, .saturation = saturation, .explained = explained};
	if (json)
		report_json(&parts, limit, &out);
	else
		report_text(&parts, &style, &out);
	fwrite(out.data, 1, out.len, stdout);
	return EXIT_OK;
}

const struct command cmd_report = {
	.name = "report",
	.summary = "what the machine did while it was recorded",
	.description =
		"Every resource with how much of it was used, what waited and what failed; "
		"CPUs and how long threads waited for them, processes and threads by CPU time, functions by CPU "
		"time, what was wrong, and what perfscope itself took.\n"
		"\n"
		"CPU is the share of one CPU; runnable is the time a thread wanted to run and had to wait for a "
		"CPU; blocked is any other wait. These times are exact; those of functions are estimated from "
		"samples. self is the time in the function's own code, total has what it called, too.\n"
		"\n"
		"Everything but the CPUs' own figures follows -p and --cgroup; everything follows --from and --to, "
		"in whole slices of the recording (a second each).",
	.operands = (const struct operand[]){
		{"FILE", "the recording (default: perfscope.db)", .optional = true, .complete = COMPLETE_FILE},
		{0}},
	.options = (const struct option_piece[]){
		{rows, 0},
		{select_option_rows, offsetof(struct report_options, select)},
		{format_option_rows, offsetof(struct report_options, format)},
		{0}},
	.options_size = sizeof(struct report_options),
	.examples = (const struct example[]){
		{"perfscope report", "perfscope.db at a glance"},
		{"perfscope report night.db --from -10s", "its last ten seconds"},
		{"perfscope report --view disk", "who uses which disk, how long its requests take, and which files are synced"},
		{"perfscope report --view locks", "who waits for which lock, how long, and who holds it"},
		{"perfscope report --view memory", "who has how much, whose grows and where, who is held up"},
		{"perfscope report --view network", "who talks to whom, and what holds that up"},
		{"perfscope report --view syscalls", "which process makes which system calls, after record --syscalls"},
		{"perfscope report --format json | jq '.processes[0]'", "the busiest process, for scripts"},
		{0}},
	.run = run,
};
