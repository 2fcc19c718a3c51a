// SPDX-License-Identifier: BSD-2-Clause
#include "select.h"

const struct option select_option_rows[] = {
	{"from", 0, OPTION_TIME(struct select_options, from), .value = "T", .no_setting = true,
	 .help = "only what happened after T: 10s after the start, -10s before the end, or a time "
		 "such as 2026-01-01T12:30:00 (local; UTC with a Z)"},
	{"to", 0, OPTION_TIME(struct select_options, to), .value = "T", .no_setting = true,
	 .help = "only what happened before T"},
	{"pid", 'p', OPTION_U64(struct select_options, pid), .value = "PID", .min = 1,
	 .max = 4194304, .complete = COMPLETE_PID, .help = "only this process and its children"},
	{"cgroup", 0, OPTION_STRING(struct select_options, cgroup), .value = "PATH",
	 .complete = COMPLETE_FILE, .help = "only processes in this control group or below"},
	{0},
};

const struct option format_option_rows[] = {
	{"format", 0, OPTION_CHOICE(struct format_options, format),
	 .choices = (const char *const[]){"text", "json", NULL}, .help = "how to print the result"},
	{0},
};
