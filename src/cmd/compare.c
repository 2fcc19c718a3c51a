// SPDX-License-Identifier: BSD-2-Clause
#include "compare.h"

#include <stdio.h>
#include <unistd.h>

#include "buf.h"
#include "command.h"
#include "fail.h"
#include "json_text.h"
#include "mem.h"
#include "output.h"
#include "recording.h"
#include "store_query.h"

enum { FAIL_NEVER = SEVERITIES };

struct compare_options {
	struct select_options select;
	struct format_options format;
	unsigned fail_on;
};

static const struct option rows[] = {
	{"fail-on", 0, OPTION_CHOICE(struct compare_options, fail_on),
	 .choices = (const char *const[]){"info", "warning", "critical", "never", NULL},
	 .help = "the exit status is 1 from this severity on"},
	{0},
};

static json_t *describe(struct store *s, const char *path)
{
	char host[256], kernel[256];

	return json_pack("{s:o, s:o, s:o}", "file", json_text(path), "host", json_text(store_meta_text(s, "host", host, sizeof(host))),
			 "kernel", json_text(store_meta_text(s, "kernel", kernel, sizeof(kernel))));
}

static int run(const struct call *call)
{
	const struct compare_options *o = call->options;
	const char *base = call->operands.items[0], *new = call->operands.items[1];
	_cleanup_(store_freep) struct store *before = NULL, *after = NULL;
	_cleanup_(compare_freep) struct compare *c = NULL;
	int r = recording_open(base, &o->select, &before);

	if (r < 0 || (r = recording_open(new, &o->select, &after)) < 0 || (r = compare_new(before, after, &c)) < 0)
		return r;
	if (o->format.format == FORMAT_JSON) {
		json_t *document = compare_json(c);

		json_object_set_new(document, "base", describe(before, base));
		json_object_set_new(document, "new", describe(after, new));
		json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
		json_decref(document);
	} else {
		_cleanup_(buf_done) struct buf text = BUF_INIT;

		compare_text(c, output_colour(STDOUT_FILENO), &text);
		fwrite(text.data, 1, text.len, stdout);
	}
	return c->regressions && o->fail_on < FAIL_NEVER && c->worst >= (enum severity)o->fail_on ?
	       EXIT_FOUND : EXIT_OK;
}

const struct command cmd_compare = {
	.name = "compare",
	.summary = "what got worse between two recordings",
	.description =
		"Compares two recordings of the same work: how busy the machine was, how long threads waited for a CPU, "
		"and what each process and each function took. A change is told when it is more than the noise: each "
		"quantity has one value a slice, and the means must differ by four standard errors, by a tenth of what it "
		"was, and by an amount that matters.\n\n"
		"For a job that guards against regressions: the exit status is 1 when something got worse.",
	.operands = (const struct operand[]){
		{"BASE", "the recording of before", .complete = COMPLETE_FILE},
		{"NEW", "the recording of after", .complete = COMPLETE_FILE},
		{0}},
	.options = (const struct option_piece[]){
		{rows, 0},
		{select_option_rows, offsetof(struct compare_options, select)},
		{format_option_rows, offsetof(struct compare_options, format)},
		{0}},
	.options_size = sizeof(struct compare_options),
	.defaults = &(const struct compare_options){.fail_on = SEVERITY_WARNING},
	.examples = (const struct example[]){
		{"perfscope compare yesterday.db today.db", "what is worse today"},
		{"perfscope compare base.db new.db --fail-on critical", "in a job, only for what is much worse"},
		{0}},
	.exits = (const struct exit_meaning[]){
		{"0", "nothing got worse at or above --fail-on"},
		{"1", "something got worse"},
		{"2", "wrong usage or bad input; stderr says what"},
		{0}},
	.run = run,
};
