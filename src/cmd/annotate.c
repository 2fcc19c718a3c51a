// SPDX-License-Identifier: BSD-2-Clause
#include "annotate.h"
#include "annotate_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "escape.h"
#include "output.h"
#include "recording.h"
#include "store_query.h"

enum syntax { SYNTAX_ATT, SYNTAX_INTEL };

struct annotate_command_options {
	struct select_options select;
	struct format_options format;
	enum syntax syntax;
	const char *module;
};

static const struct option rows[] = {
	{"syntax", 0, OPTION_CHOICE(struct annotate_command_options, syntax),
	 .choices = (const char *const[]){"att", "intel", NULL}, .help = "how x86-64 instructions are written"},
	{"module", 0, OPTION_STRING(struct annotate_command_options, module), .value = "PART", .no_setting = true,
	 .help = "only functions of modules with this in their path"},
	{0},
};

static void add_safe(struct buf *b, const char *text)
{
	escape_terminal(b, text, strlen(text));
}

static void add_head(struct buf *b, struct store *s, const struct annotation *a, const struct select_options *select)
{
	_cleanup_(buf_done) struct buf where = BUF_INIT;

	recording_describe(s, select, &where);
	add_safe(b, a->name);
	buf_addstr(b, "  ");
	add_safe(b, a->module);
	if (a->file) {
		buf_addstr(b, "  ");
		add_safe(b, a->file);
	}
	buf_addf(b, "\n%" PRIu64 " samples, %.2f s of CPU time in the function itself, %.1f %% of all that was sampled\n",
		 a->samples, (double)a->ns / (double)NS_PER_S, annotation_percent(a->ns, a->all_ns));
	add_safe(b, where.data);
	buf_addf(b, "\n\n%8s %9s %6s  %10s    %s\n", "percent", "samples", "line", "address", "instruction");
}

static const char *heat(double percent)
{
	return percent >= 10 ? "\033[1;31m" : percent >= 3 ? "\033[33m" : percent > 0 ? "\033[32m" : "";
}

static void add_row(struct buf *b, const struct annotation *a, const struct annotated *row, bool colour)
{
	double percent = annotation_percent(row->samples, a->samples);
	const char *start = colour ? heat(percent) : "";

	if (row->samples)
		buf_addf(b, "%s%7.1f%% %9" PRIu64 "%s", start, percent, row->samples, *start ? "\033[0m" : "");
	else
		buf_addf(b, "%18s", "");
	if (row->line)
		buf_addf(b, " %6" PRIu32, row->line);
	else
		buf_addf(b, " %6s", "");
	buf_addf(b, "  %10" PRIx64 " %c  ", row->address, row->jumped_to ? '>' : ' ');
	if (*row->operands)
		buf_addf(b, "%-7s ", row->mnemonic);
	else
		buf_addstr(b, row->mnemonic);
	add_safe(b, row->operands);
	if (row->target.inside)
		buf_addf(b, " <+0x%" PRIx64 ">", row->target.address - a->address);
	if (row->target.name) {
		buf_addstr(b, " <");
		add_safe(b, row->target.name);
		buf_addch(b, '>');
	}
	buf_addch(b, '\n');
}

static void print_text(struct store *s, const struct annotation *a, const struct select_options *select)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	bool colour = output_colour(STDOUT_FILENO);

	add_head(&b, s, a, select);
	for (size_t i = 0; i < a->count; i++)
		add_row(&b, a, &a->rows[i], colour);
	fwrite(b.data, 1, b.len, stdout);
}

static void print_json(struct store *s, const struct annotation *a)
{
	json_t *document = annotation_json(s, a);

	json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(document);
}

static int run(const struct call *call)
{
	const struct annotate_command_options *o = call->options;
	const struct operands *operands = &call->operands;
	_cleanup_(store_freep) struct store *s = NULL;
	_cleanup_(annotation_freep) struct annotation *a = NULL;
	const char *path = operands->count > 1 ? operands->items[0] : DEFAULT_RECORDING;
	int r = recording_open(path, &o->select, &s);

	if (r < 0 || (r = annotation_new(s, &(struct annotate_options){
			.symbol = operands->items[operands->count - 1], .module = o->module,
			.intel = o->syntax == SYNTAX_INTEL}, &a)) < 0)
		return r;
	if (o->format.format == FORMAT_JSON)
		print_json(s, a);
	else
		print_text(s, a, &o->select);
	return EXIT_OK;
}

const struct command cmd_annotate = {
	.name = "annotate",
	.summary = "the hot instructions of a function",
	.description =
		"Prints a function's machine code, x86-64 or arm64, as it was when it was recorded, with the CPU samples of "
		"each instruction. The recording has all that it takes: the program may be gone, or on another machine. It "
		"keeps the code of functions of programs and libraries with three CPU samples or more (of large ones: one more for each KiB); the kernel's and "
		"generated code are not kept.\n\n"
		"SYMBOL is a function's name as the report shows it, or enough of it that only one fits; large and small "
		"letters are the same unless an exact name is given.\n\n"
		"Percentages are of the function's own samples. A sample counts for the instruction that was to run next: the "
		"time was mostly spent by it or by the one before. Addresses are offsets in the file; > marks where a jump "
		"within the function leads, <+0x10> and <name> say where one goes.",
	.operands = (const struct operand[]){
		{"FILE", "the recording (default: perfscope.db)", .optional = true, .complete = COMPLETE_FILE},
		{"SYMBOL", "the function's name, or a part of it"},
		{0}},
	.options = (const struct option_piece[]){
		{rows, 0},
		{select_option_rows, offsetof(struct annotate_command_options, select)},
		{format_option_rows, offsetof(struct annotate_command_options, format)},
		{0}},
	.options_size = sizeof(struct annotate_command_options),
	.examples = (const struct example[]){
		{"perfscope annotate dictFind", "of perfscope.db"},
		{"perfscope annotate slow.db memcpy --module libc --syntax intel", "of the C library's only"},
		{0}},
	.run = run,
};
