// SPDX-License-Identifier: BSD-2-Clause
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cleanup.h"
#include "doctor_cost.h"
#include "fail.h"
#include "output.h"
#include "select.h"

struct doctor_options {
	struct format_options format;
	bool all, cost;
};

static const struct option rows[] = {
	{ "all", 'a', OPTION_FLAG(struct doctor_options, all),
	  .help = "each hook on a line of its own, and what each thing is used for" },
	{ "cost", 0, OPTION_FLAG(struct doctor_options, cost),
	  .help = "instead, watch this machine for four seconds and say what each kind of hook costs on it now" },
	{ 0 },
};

DEFINE_CLEANUP(struct doctor_report *, doctor_report_free)

/* stderr says what stands in the way, whatever the format on stdout is. */
static int verdict(const struct doctor_report *report)
{
	const struct doctor_result *r = doctor_blocker(report);

	if (!r)
		return EXIT_OK;
	return failx(-EOPNOTSUPP, "cannot record here: %s: %s%s%s", r->name,
		     r->detail.data, r->mend.len ? "; to mend: " : "", r->mend.data);
}

static int run(const struct call *call)
{
	const struct doctor_options *options = call->options;

	if (options->cost && options->all)
		return failx(-EINVAL, "--all has no meaning with --cost");
	if (options->cost)
		return doctor_cost(options->format.format == FORMAT_JSON);
	_cleanup_(doctor_report_freep) struct doctor_report *report = doctor_run();
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	const struct doctor_style style = {
		.width = output_is_terminal(STDOUT_FILENO) ? output_columns(STDOUT_FILENO) : 100,
		.color = output_colour(STDOUT_FILENO),
		.all = options->all,
	};

	if (options->format.format == FORMAT_JSON)
		doctor_json(report, &text);
	else
		doctor_text(report, &style, &text);
	fwrite(text.data, 1, text.len, stdout);
	int r = output_flush(); /* before stderr says what it means */

	return r < 0 ? r : verdict(report);
}

const struct command cmd_doctor = {
	.name = "doctor",
	.summary = "what this kernel allows, what is missing, and what that costs",
	.description = "Tries each thing that perfscope uses (kernel types, BPF program types, "
		       "maps and helpers, hooks one by "
		       "one, perf events, capabilities) and says whether it works, what takes its "
		       "place, or that it is missing, "
		       "why, and what that costs. Each thing is really loaded, attached and run, "
		       "and undone again: nothing stays "
		       "behind. It takes about a second. With --cost it records into memory "
		       "instead, for four seconds, and says what that took.\n\n"
		       "Without root it says what could not be tried.",
	.options = (const struct option_piece[]){ { rows, 0 },
						  { format_option_rows,
						    offsetof(struct doctor_options, format) },
						  { 0 } },
	.options_size = sizeof(struct doctor_options),
	.examples = (const struct example[]){ { "sudo perfscope doctor", "the whole picture" },
					      { "sudo perfscope doctor --cost", "what watching costs here and now" },
					      { "perfscope doctor --format json | jq .counts",
						"how much of it works, for scripts" },
					      { 0 } },
	.exits = (const struct exit_meaning[]){ { "0", "perfscope can record here" },
						{ "2",
						  "it cannot; stderr says why and how to mend it" },
						{ 0 } },
	.run = run,
};
