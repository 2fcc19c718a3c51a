/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands with one option of each type, for the tests of what is made from such tables. */
#pragma once
#include "clock.h"
#include "command.h"

struct sample_options {
	const char *output;
	uint64_t frequency, duration, size;
	unsigned colour;
	bool dry, wet;
	struct option_list names;
	struct option_time from;
};

#define S struct sample_options
static const struct option rows[] = {
	{"output", 'o', OPTION_STRING(S, output), .value = "FILE", .complete = COMPLETE_FILE,
	 .help = "write here: it's [new] \\ or not"},
	{"frequency", 'F', OPTION_U64(S, frequency), .value = "HZ", .min = 1, .max = 1000,
	 .help = "rate"},
	{"duration", 'd', OPTION_DURATION(S, duration), .value = "TIME", .help = "length"},
	{"size", 0, OPTION_SIZE(S, size), .value = "BYTES", .help = "room"},
	{"colour", 0, OPTION_CHOICE(S, colour), .help = "hue",
	 .choices = (const char *const[]){"red", "green", NULL}},
	{"dry", 'n', OPTION_FLAG(S, dry), .help = "nothing is done"},
	{"wet", 'w', OPTION_FLAG(S, wet), .help = "everything is done"},
	{"name", 0, OPTION_STRINGS(S, names), .value = "NAME", .help = "one more name"},
	{"from", 0, OPTION_TIME(S, from), .value = "T", .help = "start"},
	{0},
};

static const struct command sample = {
	.name = "sample",
	.summary = "a sample",
	.description = ".TH is no request here\n\n  verbatim \\n\n\nThe end.",
	.examples = (const struct example[]){{"perfscope sample 'x'", "show x"}, {0}},
	.operands = (const struct operand[]){
		{"FILE", "what to read", .complete = COMPLETE_FILE},
		{"KIND", "how", .optional = true,
		 .choices = (const char *const[]){"fast", "slow", NULL}},
		{0}},
	.options = (const struct option_piece[]){{rows, 0}, {0}},
	.options_size = sizeof(S),
	.defaults = &(const S){.frequency = 99, .duration = 90 * NS_PER_S, .size = 65536},
};
static const struct command other = {
	.name = "other",
	.summary = "another",
	.operands = (const struct operand[]){
		{"CMD", "a program", .optional = true, .rest = true},
		{0}},
	.runs_command = true,
};
static const struct command secret = {.name = "secret", .summary = "not for users", .hidden = true};
static const struct command *const commands[] = {&sample, &other, &secret, NULL};
