// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "exporter.h"
#include "log.h"
#include "mem.h"
#include "output.h"
#include "recording.h"

enum format_index { FORMAT_FIRST };

struct export_command_options {
	struct select_options select;
	enum format_index format; /* in all_exporters */
	enum profile profile;
	bool idle;
	const char *output;
};

static const struct option rows[] = {
	{"format", 0, OPTION_CHOICE(struct export_command_options, format), .value = "FORMAT",
	 .choices = exporter_names, .help = "what to write"},
	{"kind", 'k', OPTION_CHOICE(struct export_command_options, profile), .value = "KIND",
	 .choices = profile_names, .help = "which stacks"},
	{"idle", 0, OPTION_FLAG(struct export_command_options, idle),
	 .help = "off CPU: also waits for work (poll, timers, children)"},
	{"output", 'o', OPTION_STRING(struct export_command_options, output), .value = "OUT",
	 .complete = COMPLETE_FILE, .no_setting = true,
	 .help = "write it here, - is standard output (default: perfscope.FORMAT, in a pipe -)"},
	{0},
};

struct job {
	struct store *store;
	const struct exporter *exporter;
	struct export_options options;
};

static int write_export(const void *arg, int fd, const char *name)
{
	const struct job *job = arg;

	return job->exporter->write(job->store, &job->options, fd, name);
}

static int run(const struct call *call)
{
	const struct export_command_options *o = call->options;
	_cleanup_(store_freep) struct store *s = NULL;
	struct job job = {.exporter = all_exporters[o->format], .options = {.profile = o->profile, .idle = o->idle}};
	_cleanup_free_ char *named = xasprintf("perfscope.%s", job.exporter->suffix);
	const char *path = o->output ? o->output : output_is_terminal(STDOUT_FILENO) ? named : "-";
	int r = recording_open(recording_path(call), &o->select, &s);

	if (r < 0)
		return r;
	job.store = s;
	r = output_write(path, write_export, &job);
	if (r == 0 && strcmp(path, "-"))
		log_info("wrote %s", path);
	return r;
}

const struct command cmd_export = {
	.name = "export",
	.summary = "write a recording in the format of another tool",
	.description =
		"folded: a line for each stack, the process's name and the frames from the root, joined by ';', "
		"then a space and the value, nanoseconds for times. Kernel, JIT and inlined code end with _[k], "
		"_[j] and _[i]. Read by flamegraph --folded and by most viewers.",
	.operands = (const struct operand[]){
		{"FILE", "the recording (default: perfscope.db)", .optional = true, .complete = COMPLETE_FILE},
		{0}},
	.options = (const struct option_piece[]){
		{rows, 0},
		{select_option_rows, offsetof(struct export_command_options, select)},
		{0}},
	.options_size = sizeof(struct export_command_options),
	.examples = (const struct example[]){
		{"perfscope export --format folded -o cpu.folded", "CPU time by stack"},
		{"perfscope export | grep checkout | perfscope flamegraph --folded --unit ns",
		 "draw what a filter leaves"},
		{0}},
	.run = run,
};
