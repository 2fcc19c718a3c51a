/* SPDX-License-Identifier: BSD-2-Clause */
/* Options that several commands share: a member of the command's struct and a piece of its table,
 *
 *	struct report_options { struct select_options select; struct format_options format; };
 *	.options = (const struct option_piece[]){
 *		{select_option_rows, offsetof(struct report_options, select)},
 *		{format_option_rows, offsetof(struct report_options, format)},
 *		{0}},
 */
#pragma once
#include "command.h"

/* Which part of a recording: every reader has it. */
struct select_options {
	struct option_time from, to;
	uint64_t pid;       /* 0: all */
	const char *cgroup; /* NULL: all */
};
extern const struct option select_option_rows[];

enum format { FORMAT_TEXT, FORMAT_JSON };
struct format_options {
	enum format format;
};
extern const struct option format_option_rows[];
