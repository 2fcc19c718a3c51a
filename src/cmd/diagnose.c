// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "compare.h"
#include "escape.h"
#include "fail.h"
#include "findings.h"
#include "findings_text.h"
#include "incident.h"
#include "live.h"
#include "log.h"
#include "look.h"
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
	double most_overhead; /* percent of all CPUs */
	unsigned fail_on;
	struct option_list thresholds, objectives;
	const char *explain, *runbook, *output, *baseline;
	bool list, allow_exec;
};

enum { FAIL_NEVER = SEVERITIES };

static const struct option rows[] = {
	{"duration", 'd', OPTION_DURATION(struct diagnose_options, duration_ns), .value = "TIME",
	 .help = "without FILE: how long to look, such as 5s or 1m (default: the runbook's, or 10s)"},
	{"max-overhead", 0, OPTION_PERCENT(struct diagnose_options, most_overhead), .value = "PERCENT",
	 .help = "without FILE: " MOST_OVERHEAD_HELP},
	{"fail-on", 0, OPTION_CHOICE(struct diagnose_options, fail_on),
	 .choices = (const char *const[]){"info", "warning", "critical", "never", NULL},
	 .help = "the exit status is 1 from this severity on"},
	{"threshold", 0, OPTION_STRINGS(struct diagnose_options, thresholds), .value = "ID.NAME=VALUE",
	 .help = "another threshold for a rule; --explain shows what there is"},
	{"slo", 0, OPTION_STRINGS(struct diagnose_options, objectives), .value = "'port=N p99<20ms'",
	 .help = "an objective for a service's response times: mean, p50, p90, p95, p99 or max, in us, ms or s"},
	{"runbook", 0, OPTION_STRING(struct diagnose_options, runbook), .value = "NAME|PATH",
	 .complete = COMPLETE_RUNBOOK, .help = "take this runbook's steps, too"},
	{"allow-exec", 0, OPTION_FLAG(struct diagnose_options, allow_exec), .no_setting = true,
	 .help = "let the runbook's steps run commands"},
	{"baseline", 0, OPTION_STRING(struct diagnose_options, baseline), .value = "FILE", .complete = COMPLETE_FILE,
	 .help = "a recording of good times: what is unusual beside it counts, even below thresholds"},
	{"output", 'o', OPTION_STRING(struct diagnose_options, output), .value = "FOLDER", .complete = COMPLETE_FILE,
	 .no_setting = true,
	 .help = "keep all that was seen in a new folder: recording, findings, flame graphs, threads, a summary"},
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
	for (size_t i = 0; i < o->objectives.count; i++) {
		int r = rules_add_objective(rules, o->objectives.items[i]);

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

/* What there is to tell. */
struct answer {
	const struct diagnose_options *options;
	struct look *look;
	struct compare *changes; /* since the baseline; NULL: without one */
	json_t *steps;           /* of the runbook; NULL: without one */
};

static void answer_done(struct answer *a)
{
	json_decref(a->steps);
	compare_free(a->changes);
	look_free(a->look);
}

static void add_text(const struct answer *a, const struct findings_style *style, struct buf *text)
{
	const struct findings *f = look_findings(a->look);
	_cleanup_(buf_done) struct buf origin = BUF_INIT;

	findings_verdict(f, style, text);
	recording_describe(look_store(a->look), &a->options->select, &origin);
	escape_terminal(text, origin.data, origin.len);
	buf_addstr(text, f->count ? "\n\n" : "\n");
	findings_text(f, style, text);
	if (a->changes) {
		buf_addstr(text, "\nSince the baseline\n");
		compare_text(a->changes, style->colour, text);
	}
	if (a->steps) {
		buf_addch(text, '\n');
		runbook_result_text(a->steps, text);
	}
}

/* Always the whole of it, in JSON. */
static char *document(const struct answer *a)
{
	_cleanup_(json_decrefp) json_t *root = findings_document(look_findings(a->look), look_store(a->look));

	if (a->changes)
		json_object_set_new(root, "baseline", compare_json(a->changes));
	if (a->steps)
		json_object_set(root, "runbook", a->steps);
	return json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
}

static void print(const struct answer *a)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	_cleanup_free_ char *json = NULL;
	struct findings_style style = style_of_output();

	if (a->options->format.format == FORMAT_JSON) {
		json = document(a);
		puts(json ? json : "{}");
		return;
	}
	add_text(a, &style, &text);
	fwrite(text.data, 1, text.len, stdout);
}

/* Flame graphs of what there is; the summary as Markdown. */
static int keep(const struct answer *a, const struct incident *incident)
{
	static const enum profile kinds[] = {PROFILE_CPU, PROFILE_OFFCPU};
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	_cleanup_free_ char *json = document(a);
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_cleanup_(buf_done) struct buf path = BUF_INIT;

		r = incident_flamegraph(incident, look_store(a->look), &a->options->select, kinds[i], 0, &path);
		if (r < 0 && r != -ENODATA)
			return r;
	}
	buf_addstr(&text, "# What perfscope diagnose said\n\n```\n");
	add_text(a, &(struct findings_style){.width = 100}, &text);
	buf_addstr(&text, "```\n");
	if ((r = incident_write(incident, "incident", "md", text.data)) < 0)
		return r;
	r = incident_write(incident, "findings", "json", json ? json : "{}");
	if (r >= 0)
		log_info("kept everything in %s", a->options->output);
	return r;
}

static int weigh(struct answer *a, struct store *baseline, const struct rules *rules)
{
	_cleanup_(findings_freep) struct findings *usual = NULL;
	int r = findings_new(baseline, rules, NULL, &usual);

	if (r < 0 || (r = compare_new(baseline, look_store(a->look), &a->changes)) < 0)
		return r;
	findings_weigh(look_findings(a->look), usual);
	return 0;
}

static bool is_grave(const struct answer *a)
{
	const struct findings *f = look_findings(a->look);
	unsigned from = a->options->fail_on;

	if (from == FAIL_NEVER)
		return false;
	return (f->count && findings_worst(f) >= (enum severity)from) ||
	       (a->changes && a->changes->regressions && a->changes->worst >= (enum severity)from);
}

static int look(const struct call *call, const struct look_options *options, const struct runbook *rb, struct look **ret_look)
{
	const struct diagnose_options *o = call->options;
	uint64_t duration_ns = o->duration_ns ? o->duration_ns : rb ? runbook_collect_ns(rb) : 0;

	if (call->operands.count)
		return look_at_recording(call->operands.items[0], options, ret_look);
	return look_at_machine(duration_ns ? duration_ns : 10 * NS_PER_S, options, ret_look);
}

/* What is bad in the command line is told before the machine is looked at for long. */
struct question {
	struct rules *rules;
	struct runbook *runbook;
	struct store *baseline;
	struct incident *incident;
};

static void question_done(struct question *q)
{
	incident_free(q->incident);
	store_free(q->baseline);
	runbook_free(q->runbook);
	rules_free(q->rules);
}

static int answer(const struct call *call, const struct question *q)
{
	const struct diagnose_options *o = call->options;
	const struct incident *incident = q->incident;
	const struct runbook *rb = q->runbook;
	const struct look_options options = {
		.rules = q->rules, .select = &o->select, .incident = incident, .allow_exec = o->allow_exec,
		.most_overhead = o->most_overhead};
	_cleanup_(answer_done) struct answer a = {.options = o};
	int r = look(call, &options, rb, &a.look);

	if (r < 0)
		return r;
	if (rb) {
		struct runbook_actions actions = look_actions(a.look);

		r = runbook_run(rb, look_store(a.look), look_findings(a.look), &actions, &a.steps);
	}
	if (r < 0 || (q->baseline && (r = weigh(&a, q->baseline, q->rules)) < 0))
		return r;
	for (size_t i = 0; i < look_findings(a.look)->error_count; i++)
		log_warning("rule left out: %s", look_findings(a.look)->errors[i]);
	print(&a);
	if (incident && (r = keep(&a, incident)) < 0)
		return r;
	return is_grave(&a) ? EXIT_FOUND : EXIT_OK;
}

static int run(const struct call *call)
{
	const struct diagnose_options *o = call->options;
	_cleanup_(question_done) struct question q = {0};
	int r = open_rules(o, &q.rules);

	if (r < 0)
		return r;
	if (o->list || o->explain)
		return describe_rules(o, q.rules);
	if (!call->operands.count && (o->select.from.kind != TIME_UNSET || o->select.to.kind != TIME_UNSET))
		return failx(-EINVAL, "--from and --to are of a recording: which FILE?");
	if ((o->runbook && (r = runbook_open(o->runbook, q.rules, &q.runbook)) < 0) ||
	    (o->baseline && (r = recording_open(o->baseline, &(struct select_options){0}, &q.baseline)) < 0) ||
	    (o->output && (r = incident_new(o->output, &q.incident)) < 0))
		return r;
	return answer(call, &q);
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
		{"sudo perfscope diagnose --slo 'port=8080 p99<20ms'", "does the service keep what was promised?"},
		{"perfscope diagnose perfscope.db --from -60s", "in the last minute of a recording"},
		{"perfscope diagnose --format json | jq -r '.findings[].title'", "in a script"},
		{"sudo perfscope diagnose --runbook high-cpu", "and the steps that an expert would take"},
		{"sudo perfscope diagnose --runbook slow-service -o incident", "keep everything for the ticket"},
		{"perfscope diagnose now.db --baseline monday.db", "what is not as it used to be"},
		{"perfscope diagnose --explain cpu.saturation", "what a rule looks at"},
		{0}},
	.exits = (const struct exit_meaning[]){
		{"0", "nothing found at or above --fail-on"},
		{"1", "something found"},
		{"2", "wrong usage, bad input, or cannot look here; stderr says what and how to mend it"},
		{0}},
	.run = run,
};
