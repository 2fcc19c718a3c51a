// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include <errno.h>
#include <sys/stat.h>

#include "arena.h"
#include "cleanup.h"
#include "clock.h"
#include "command.h"
#include "fail.h"
#include "log.h"
#include "mem.h"
#include "sample_command.h"
#include "settings.h"
#include "suggest.h"
#include "usage.h"

/* Parses words separated by spaces; operands are joined by commas in `left`. */
static int parse_line(struct command_options *co, const char *line, bool stop, struct buf *left)
{
	static char words[256];
	char *argv[32];
	struct operands operands = {0};
	int argc = 0, r;

	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	command_options_done(co);
	command_options_init(co, &sample);
	buf_reset(left);
	r = option_parse(co->sets, argc, argv, stop, 100, &operands);
	for (int i = 0; i < operands.count; i++)
		buf_addf(left, "%s%s", i ? "," : "", operands.items[i]);
	operands_done(&operands);
	return r;
}

static void test_forms(void)
{
	_cleanup_(command_options_done) struct command_options co = {0};
	_cleanup_(buf_done) struct buf left = BUF_INIT;
	const S *o;

	CHECK(parse_line(&co, "", false, &left) == 0);
	o = co.own;
	CHECK(o->frequency == 99 && !o->output && !o->dry);
	CHECK(parse_line(&co, "--output=a=b --frequency 7 x --size=4K y", false, &left) == 0);
	o = co.own;
	CHECK_STR(o->output, "a=b");
	CHECK(o->frequency == 7 && o->size == 4096);
	CHECK_STR(left.data, "x,y");
	CHECK(parse_line(&co, "-nwd5s -F 8 -oout -q", false, &left) == 0);
	o = co.own;
	CHECK(o->dry && o->wet && co.common.quiet);
	CHECK(o->duration == 5 * NS_PER_S && o->frequency == 8);
	CHECK_STR(o->output, "out");
	CHECK(parse_line(&co, "-n -- -w - --dry", false, &left) == 0);
	CHECK_STR(left.data, "-w,-,--dry");
	CHECK(parse_line(&co, "-n - -w", false, &left) == 0);
	CHECK_STR(left.data, "-");
	CHECK(((const S *)co.own)->wet);
	CHECK(parse_line(&co, "-n sleep -w 5 -- --dry", true, &left) == 0);
	CHECK_STR(left.data, "sleep,-w,5,--,--dry");
	CHECK(!((const S *)co.own)->wet);
	CHECK(parse_line(&co, "-n --no-dry --colour green", false, &left) == 0);
	o = co.own;
	CHECK(!o->dry && o->colour == 1);
	CHECK(parse_line(&co, "--name a --name=b", false, &left) == 0);
	o = co.own;
	CHECK(o->names.count == 2 && !strcmp(o->names.items[1], "b"));
}

static void test_errors(void)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{"--frequency", "--frequency wants a value: HZ"},
		{"-d", "--duration wants a value: TIME"},
		{"--colour", "--colour wants a value: red|green"},
		{"--frequency=0", "--frequency: 0 is not between 1 and 1000"},
		{"-Fx", "--frequency: 'x' is not a whole number"},
		{"-d soon", "--duration: 'soon' is not a duration (such as 500ms, 10s or 5m)"},
		{"--colour=blue", "--colour: 'blue' is not one of red, green"},
		{"--dry=1", "--dry takes no value"},
		{"--no-output", "unknown option --no-output, did you mean --output?"},
		{"--outptu=x", "unknown option --outptu, did you mean --output?"},
		{"--freq=7", "unknown option --freq, did you mean --frequency?"},
		{"--zzzzzz", "unknown option --zzzzzz (--help lists all)"},
		{"--=x", "unknown option -- (--help lists all)"},
		{"-nz", "unknown option -z (--help lists all)"},
		{"--output=", "--output: must not be empty"},
	};
	_cleanup_(command_options_done) struct command_options co = {0};
	_cleanup_(buf_done) struct buf left = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK(parse_line(&co, cases[i].line, false, &left) < 0);
		CHECK_STR(fail_message(), cases[i].message);
	}
}

static void test_times(void)
{
	_cleanup_(command_options_done) struct command_options co = {0};
	_cleanup_(buf_done) struct buf left = BUF_INIT;
	const uint64_t start = 1000 * NS_PER_S, end = 1060 * NS_PER_S;
	const S *o;

	CHECK(parse_line(&co, "", false, &left) == 0);
	o = co.own;
	CHECK(option_time_in(&o->from, start, end, 7) == 7);
	CHECK(parse_line(&co, "--from 10s", false, &left) == 0);
	o = co.own;
	CHECK(option_time_in(&o->from, start, end, 0) == 10 * NS_PER_S);
	CHECK(parse_line(&co, "--from -10s", false, &left) == 0);
	o = co.own;
	CHECK(option_time_in(&o->from, start, end, 0) == 50 * NS_PER_S);
	CHECK(parse_line(&co, "--from 1970-01-01T00:16:45Z", false, &left) == 0);
	o = co.own;
	CHECK(option_time_in(&o->from, start, end, 0) == 5 * NS_PER_S);
	CHECK(parse_line(&co, "--from 5h", false, &left) == 0);
	o = co.own;
	CHECK(option_time_in(&o->from, start, end, 0) == 60 * NS_PER_S);
	CHECK(parse_line(&co, "--from 0", false, &left) == 0);
	CHECK(parse_line(&co, "--from noon", false, &left) == -EINVAL);
	CHECK(parse_line(&co, "--from 2026-13-01T00:00:00", false, &left) == -EINVAL);
}

static int check_operands(int count, char **items)
{
	return command_check_operands(&sample, &(struct operands){items, count});
}

static void test_operands(void)
{
	CHECK(check_operands(0, NULL) == -EINVAL);
	CHECK_STR(fail_message(), "FILE is missing: what to read");
	CHECK(check_operands(1, (char *[]){"f"}) == 0);
	CHECK(check_operands(2, (char *[]){"f", "slow"}) == 0);
	CHECK(check_operands(2, (char *[]){"f", "slwo"}) == -EINVAL);
	CHECK_STR(fail_message(), "'slwo' is not known, did you mean 'slow'?");
	CHECK(check_operands(3, (char *[]){"f", "slow", "more"}) == -EINVAL);
	CHECK_STR(fail_message(), "unexpected operand 'more'");
}

static void test_suggestions(void)
{
	struct suggestion s = {.wanted = "reprot", .length = 6};

	suggestion_offer(&s, "record");
	suggestion_offer(&s, "report");
	suggestion_offer(&s, "export");
	CHECK(s.best && !strcmp(s.best, "report"));
	s = (struct suggestion){.wanted = "xyz", .length = 3};
	suggestion_offer(&s, "top");
	CHECK(!s.best);
}

static void test_help(void)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	usage_add_help(&text, &sample, 80);
	CHECK(strstr(text.data, "Usage: perfscope sample [OPTION...] FILE [KIND]\n"));
	CHECK(strstr(text.data, "-F, --frequency=HZ        rate (default: 99)\n"));
	CHECK(strstr(text.data, "length (default: 90s)\n"));
	CHECK(strstr(text.data, "--colour=red|green    hue (default: red)\n"));
	CHECK(strstr(text.data, "room (default: 64K)\n"));
	CHECK(strstr(text.data, "-h, --help "));
}

static const char settings_path[] = "unit-option.yaml";

static int load(struct command_options *co, struct arena *strings, const char *text, mode_t mode)
{
	_cleanup_fclose_ FILE *f = fopen(settings_path, "w");

	if (!f)
		return -errno;
	fputs(text, f);
	fchmod(fileno(f), mode);
	fflush(f);
	command_options_done(co);
	command_options_init(co, &sample);
	return settings_load_file(settings_path, commands, &sample, co, strings, 1);
}

static void test_settings(void)
{
	_cleanup_(command_options_done) struct command_options co = {0};
	_cleanup_(arena_freep) struct arena *strings = arena_new();
	char *again[] = {"--name", "c", "--no-quiet"};
	struct operands operands;
	const S *o;

	CHECK(load(&co, strings, "sample: {frequency: 7, name: [a, b]}\n"
				 "all: {quiet: yes, frequency: 5}\n", 0600) == 0);
	o = co.own;
	CHECK(o->frequency == 7 && o->names.count == 2 && co.common.quiet);
	CHECK(option_parse(co.sets, 3, again, false, 2, &operands) == 0);
	CHECK(o->names.count == 1 && !strcmp(o->names.items[0], "c") && !co.common.quiet);
	operands_done(&operands);
	CHECK(load(&co, strings, "", 0600) == 0);
	CHECK(load(&co, strings, "# nothing\nsample:\n", 0600) == 0);
	CHECK(load(&co, strings, "other: {verbose: true}\n", 0600) == 0 && !co.common.verbose);
	log_set_level(LOG_QUIET);
	CHECK(load(&co, strings, "sample: {frequency: 7}\n", 0666) == 0);
	CHECK(((const S *)co.own)->frequency == 99);
	unlink(settings_path);
	CHECK(settings_load_file(settings_path, commands, &sample, &co, strings, 1) == 0);
}

static void test_bad_settings(void)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"sample:\n  frequency: many\n", "2:14: frequency: 'many' is not a whole number"},
		{"other:\n  verbose: 7\n", "2:12: verbose: '7' is neither true nor false"},
		{"sample:\n  freqency: 7\n",
		 "2:3: there is no option 'freqency', did you mean 'frequency'?"},
		{"sample: {help: true}\n", "1:10: there is no option 'help'"},
		{"sampel: {}\n", "1:1: there is no command 'sampel', did you mean 'sample'?"},
		{"- sample\n", "1:1: commands with their options are wanted here"},
		{"sample: 7\n", "1:9: options and their values are wanted below 'sample'"},
		{"sample: {frequency: [7]}\n", "1:21: frequency wants one value"},
		{"sample: {name: [a, {b: c}]}\n", "1:20: name wants one value"},
		{"sample: {}\nsample: {}\n", "2:1: 'sample' is here twice"},
		{"sample: {dry: true, dry: true}\n", "1:21: 'dry' is here twice"},
		{"? [a]\n: b\n", "1:3: the name of a command is wanted here"},
		{"sample: [\n", "2:1: did not find expected node content"},
		{"sample: {}\n---\nother: {}\n", "2:1: only one YAML document is wanted"},
	};
	_cleanup_(command_options_done) struct command_options co = {0};
	_cleanup_(arena_freep) struct arena *strings = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *message = xasprintf("%s:%s", settings_path, cases[i].message);

		CHECK(load(&co, strings, cases[i].text, 0600) == -EINVAL);
		CHECK_STR(fail_message(), message);
	}
	CHECK(load(&co, strings, "a: \xff\n", 0600) == -EINVAL);
	unlink(settings_path);
}

int main(void)
{
	test_forms();
	test_errors();
	test_times();
	test_operands();
	test_suggestions();
	test_help();
	test_settings();
	test_bad_settings();
	return check_done("option");
}
