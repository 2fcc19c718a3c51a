// SPDX-License-Identifier: BSD-2-Clause
#include "threads.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "log.h"
#include "output.h"
#include "select.h"

struct threads_command_options {
	struct format_options format;
	uint64_t pid, settle_ns;
	bool no_bpf;
};

static const struct option rows[] = {
	{"pid", 'p', OPTION_U64(struct threads_command_options, pid), .value = "PID", .min = 1,
	 .max = 4194304, .complete = COMPLETE_PID, .no_setting = true,
	 .help = "the process, or one of its threads"},
	{"settle", 0, OPTION_DURATION(struct threads_command_options, settle_ns), .value = "TIME",
	 .help = "look again after so long: a deadlock is where nothing has moved"},
	{"no-bpf", 0, OPTION_FLAG(struct threads_command_options, no_bpf),
	 .help = "read /proc alone, as happens without privileges"},
	{0},
};

static void print_notes(const struct threads *t)
{
	for (const char *at = t->notes.data; *at;) {
		size_t len = strcspn(at, "\n");

		log_warning("%.*s", (int)len, at);
		at += len + (at[len] == '\n');
	}
}

static int run(const struct call *call)
{
	const struct threads_command_options *o = call->options;
	_cleanup_(threads_freep) struct threads *t = NULL;
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	if (!o->pid)
		return failx(-EINVAL, "which process? Give it with -p PID");
	int r = threads_take(&(struct threads_options){.pid = (uint32_t)o->pid,
						       .settle_ns = o->settle_ns,
						       .no_bpf = o->no_bpf},
			     &t);
	if (r < 0)
		return r;
	print_notes(t);
	if (o->format.format == FORMAT_JSON)
		threads_json(t, &text);
	else
		threads_text(t, &(struct threads_style){.color = output_colour(STDOUT_FILENO)},
			     &text);
	fwrite(text.data, 1, text.len, stdout);
	return output_flush();
}

const struct command cmd_threads = {
	.name = "threads",
	.summary = "who waits for whom in a process, now",
	.description =
		"Shows each thread of a process: its state and for how long, what it waits on, who "
		"must act for it to go on, and its stack. Locks come with their owner where their "
		"memory names one (glibc's mutexes and held rwlocks, priority-inheriting and robust "
		"ones), files with their path, sockets and pipes with the process at the other end. "
		"Threads with equal stacks are shown once. A cycle of threads that wait for each "
		"other is reported as a deadlock, but only when none of them has moved between two "
		"looks.\n\n"
		"The process is not stopped. What it changes while it is read is read again. "
		"Processes that it waits for are shown, too.\n\n"
		"Needs root or CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE; without them, less is shown "
		"of one's own processes.",
	.options = (const struct option_piece[]){
		{rows, 0},
		{format_option_rows, offsetof(struct threads_command_options, format)},
		{0}},
	.options_size = sizeof(struct threads_command_options),
	.defaults = &(const struct threads_command_options){.settle_ns = 100 * NS_PER_MS},
	.examples = (const struct example[]){
		{"sudo perfscope threads -p $(pidof -s postgres)", "one process"},
		{"perfscope threads -p 1234 --format json | jq .deadlocks", "for scripts"},
		{0}},
	.run = run,
};
