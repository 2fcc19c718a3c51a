// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "escape.h"
#include "fail.h"
#include "findings.h"
#include "findings_text.h"
#include "live.h"
#include "log.h"
#include "mem.h"
#include "output.h"
#include "recording.h"
#include "rule.h"
#include "rule_text.h"
#include "rule_folders.h"
#include "runbook.h"
#include "store_query.h"

struct diagnose_options {
	struct select_options select;
	struct format_options format;
	uint64_t duration_ns;
	unsigned fail_on;
	struct option_list thresholds;
	const char *explain, *runbook;
	bool list;
};

enum { FAIL_NEVER = SEVERITIES };

static const struct option rows[] = {
	{"duration", 'd', OPTION_DURATION(struct diagnose_options, duration_ns), .value = "TIME",
	 .help = "without FILE: how long to look, such as 5s or 1m (default: the runbook's, or 10s)"},
	{"fail-on", 0, OPTION_CHOICE(struct diagnose_options, fail_on),
	 .choices = (const char *const[]){"info", "warning", "critical", "never", NULL},
	 .help = "the exit status is 1 from this severity on"},
	{"threshold", 0, OPTION_STRINGS(struct diagnose_options, thresholds), .value = "ID.NAME=VALUE",
	 .help = "another threshold for a rule; --explain shows what there is"},
	{"runbook", 0, OPTION_STRING(struct diagnose_options, runbook), .value = "NAME|PATH",
	 .complete = COMPLETE_RUNBOOK, .help = "take this runbook's steps, too"},
	{"list", 0, OPTION_FLAG(struct diagnose_options, list), .no_setting = true,
	 .help = "list the rules, ask none"},
	{"explain", 0, OPTION_STRING(struct diagnose_options, explain), .value = "ID",
	 .no_setting = true, .help = "what a rule looks at, its thresholds and their reasons"},
	{0},
};

static struct findings_style style_of_output(void)
{
	return (struct findings_style){
		.width = output_is_terminal(STDOUT_FILENO) ? output_columns(STDOUT_FILENO) : 100,
		.colour = output_colour(STDOUT_FILENO)};
}

static int open_rules(const struct diagnose_options *o, struct rules **ret_rules)
{
	_cleanup_(rule_folders_freep) struct rule_folders *folders = rule_folders_new();
	_cleanup_(rules_freep) struct rules *rules = rules_new(rule_folders_list(folders));

	for (size_t i = 0; i < o->thresholds.count; i++) {
		int r = rules_set_threshold(rules, o->thresholds.items[i]);

		if (r < 0)
			return r;
	}
	*ret_rules = rules;
	rules = NULL;
	return 0;
}

static int describe_rules(const struct diagnose_options *o, const struct rules *rules)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	const char *error;

	for (size_t i = 0; (error = rules_error(rules, i)); i++)
		log_warning("rule left out: %s", error);
	if (o->explain) {
		const struct rule *rule = rules_find(rules, o->explain);

		if (!rule)
			return failx(-ENOENT, "there is no rule '%s'; diagnose --list names them", o->explain);
		rule_explain(rule, style_of_output().width, &text);
	} else {
		rules_list(rules, &text);
	}
	fwrite(text.data, 1, text.len, stdout);
	return EXIT_OK;
}

/* Everything is recorded, even with -p: what holds a process up is often another one. */
static int record_now(const struct diagnose_options *o, const struct runbook *rb,
		      struct store **ret_store)
{
	struct live_options live = {LIVE_DEFAULTS, .duration_ns = o->duration_ns};
	_cleanup_(store_freep) struct store *s = NULL;
	struct live_result result;
	int r = store_create(":memory:", &s);

	if (r < 0)
		return r;
	if (!live.duration_ns && rb)
		live.duration_ns = runbook_collect_ns(rb);
	if (!live.duration_ns)
		live.duration_ns = 10 * NS_PER_S;
	log_info("looking at this machine for %.1f s", (double)live.duration_ns / 1e9);
	if ((r = live_record(s, &live, NULL, &result)) < 0)
		return r;
	*ret_store = s;
	s = NULL;
	return 0;
}

static int open_store(const struct call *call, const struct runbook *rb,
		      struct store **ret_store)
{
	const struct diagnose_options *o = call->options;
	struct select_options when = o->select;

	if (!call->operands.count)
		return record_now(o, rb, ret_store);
	when.pid = 0;
	when.cgroup = NULL;
	return recording_open(call->operands.items[0], &when, ret_store);
}

static void print_text(const struct findings *f, struct store *s,
		       const struct diagnose_options *o, const json_t *steps)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT, origin = BUF_INIT;
	struct findings_style style = style_of_output();

	findings_verdict(f, &style, &text);
	recording_describe(s, &o->select, &origin);
	escape_terminal(&text, origin.data, origin.len);
	buf_addstr(&text, f->count ? "\n\n" : "\n");
	findings_text(f, &style, &text);
	if (steps) {
		buf_addch(&text, '\n');
		runbook_result_text(steps, &text);
	}
	fwrite(text.data, 1, text.len, stdout);
}

static void print_json(const struct findings *f, struct store *s, json_t *steps)
{
	_cleanup_(json_decrefp) json_t *document = findings_document(f, s);

	if (steps)
		json_object_set(document, "runbook", steps);
	json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
}

/* The answer to the question that was asked: findings, and what the runbook's steps brought to light. */
static int answer(struct store *s, const struct findings *f, const struct runbook *rb,
		  const struct diagnose_options *o)
{
	_cleanup_(json_decrefp) json_t *steps = NULL;
	int r = rb ? runbook_run(rb, s, f, &steps) : 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < f->error_count; i++)
		log_warning("rule left out: %s", f->errors[i]);
	if (o->format.format == FORMAT_JSON)
		print_json(f, s, steps);
	else
		print_text(f, s, o, steps);
	return f->count && o->fail_on < FAIL_NEVER && findings_worst(f) >= (enum severity)o->fail_on ?
		       EXIT_FOUND : EXIT_OK;
}

static int run(const struct call *call)
{
	const struct diagnose_options *o = call->options;
	const struct findings_options options = {.pid = (uint32_t)o->select.pid, .cgroup = o->select.cgroup};
	_cleanup_(rules_freep) struct rules *rules = NULL;
	_cleanup_(runbook_freep) struct runbook *rb = NULL;
	_cleanup_(store_freep) struct store *s = NULL;
	_cleanup_(findings_freep) struct findings *f = NULL;
	int r = open_rules(o, &rules);

	if (r < 0)
		return r;
	if (o->list || o->explain)
		return describe_rules(o, rules);
	if (o->runbook && (r = runbook_open(o->runbook, rules, &rb)) < 0)
		return r;
	if ((r = open_store(call, rb, &s)) < 0 || (r = findings_new(s, rules, &options, &f)) < 0)
		return r;
	return answer(s, f, rb, o);
}

const struct command cmd_diagnose = {
	.name = "diagnose",
	.summary = "find the bottleneck, its culprit and what to do",
	.description =
		"Looks at the machine for ten seconds, or at a recording, and says what is held "
		"up, by whom, how that is known, and what to do. Most important first; what "
		"another finding explains stands in that finding.\n\n"
		"critical and warning mean that somebody waits; info is what is worth knowing and "
		"harms nobody.\n\n"
		"With -p or --cgroup all of the machine is looked at, because what holds a process "
		"up is often another one, and findings that touch the process or the group are "
		"shown.\n\n"
		"Rules are SQL files. Own ones in /etc/perfscope/rules.d and "
		"~/.config/perfscope/rules.d are asked, too.",
	.operands = (const struct operand[]){
		{"FILE", "a recording; without it the machine is looked at now", .optional = true,
		 .complete = COMPLETE_FILE},
		{0}},
	.options = (const struct option_piece[]){
		{rows, 0},
		{select_option_rows, offsetof(struct diagnose_options, select)},
		{format_option_rows, offsetof(struct diagnose_options, format)},
		{0}},
	.options_size = sizeof(struct diagnose_options),
	.defaults = &(const struct diagnose_options){.fail_on = SEVERITY_WARNING},
	.examples = (const struct example[]){
		{"sudo perfscope diagnose", "what is wrong now?"},
		{"perfscope diagnose perfscope.db --from -60s", "in the last minute of a recording"},
		{"perfscope diagnose --format json | jq -r '.findings[].title'", "in a script"},
		{"sudo perfscope diagnose --runbook high-cpu", "and the steps that an expert would take"},
		{"perfscope diagnose --explain cpu.saturation", "what a rule looks at"},
		{0}},
	.exits = (const struct exit_meaning[]){
		{"0", "nothing found at or above --fail-on"},
		{"1", "something found"},
		{"2", "wrong usage, bad input, or cannot look here; stderr says what and how to mend it"},
		{0}},
	.run = run,
};
