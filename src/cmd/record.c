// SPDX-License-Identifier: BSD-2-Clause

#include <errno.h>
#include <string.h>

#include "command.h"
#include "fail.h"
#include "live.h"
#include "log.h"
#include "mem.h"
#include "store_write.h"

struct record_options {
	struct live_options live;
	const char *output;
	bool redact, syscalls, softirqs, dns, pmu;
};

static const struct option rows[] = {
	{"output", 'o', OPTION_STRING(struct record_options, output), .value = "FILE", .complete = COMPLETE_FILE,
	 .help = "the recording; an older one of that name becomes FILE.old"},
	{"duration", 'd', OPTION_DURATION(struct record_options, live.duration_ns), .value = "TIME",
	 .help = "how long, such as 500ms, 10s or 5m; without it until Ctrl-C, or until the command ends"},
	{"redact", 0, OPTION_FLAG(struct record_options, redact),
	 .help = "leave out command lines, addresses of peers, and whose folder a path is in"},
	{"syscalls", 0, OPTION_FLAG(struct record_options, syscalls), .no_setting = true,
	 .help = "count and time system calls by process and call, which costs each call of the machine about 0.2 us"},
	{"softirqs", 0, OPTION_FLAG(struct record_options, softirqs), .no_setting = true,
	 .help = "measure how long soft interrupts wait until they run, which costs each of them about 0.1 us"},
	{"dns", 0, OPTION_FLAG(struct record_options, dns), .no_setting = true,
	 .help = "measure queries to DNS servers, which costs each send and receive on a socket about 0.02 us"},
	{"pmu", 0, OPTION_FLAG(struct record_options, pmu), .no_setting = true,
	 .help = "count cycles, instructions, and misses of caches and branches by process and function; each kind costs as much as "
		 "sampling the CPU does"},
	{"pmu-events", 0, OPTION_STRING(struct record_options, live.events), .value = "EVENT,...", .no_setting = true,
	 .help = "count these by process and function: cycles, instructions, cache-misses, branch-misses, stalled-cycles-backend, "
		 "page-faults, context-switches, task-clock; six at the most"},
	{0},
};

/* Probes that cost too much to be loaded unasked, and what whoever asks is told before they begin. */
static size_t choose_probes(const struct record_options *o, const char *names[])
{
	const struct {
		bool asked;
		const char *probe, *pays;
	} probes[] = {
		{o->syscalls, "syscalls", "every system call of this machine takes about 0.2 us longer"},
		{o->softirqs, "softirqs", "every soft interrupt of this machine takes about 0.1 us longer"},
		{o->dns, "dns", "every send and receive on a socket of this machine takes about 0.02 us longer"},
		{o->pmu || o->live.events, "pmu", "each kind of event is sampled as often as the CPU, which takes about 8 us each time"},
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		if (!probes[i].asked)
			continue;
		log_info("--%s: %s meanwhile", probes[i].probe, probes[i].pays);
		names[count++] = probes[i].probe;
	}
	names[count] = NULL;
	return count;
}

static void tell_beginning(const struct record_options *o, char *const *command)
{
	if (o->live.pid)
		log_info("recording process %llu and its children; Ctrl-C ends it", (unsigned long long)o->live.pid);
	else if (o->live.cgroup)
		log_info("recording cgroup %s; Ctrl-C ends it", o->live.cgroup);
	else if (command)
		log_info("recording %s and the machine it runs on; Ctrl-C ends it", command[0]);
	else
		log_info("recording this machine; Ctrl-C ends it");
}

static int run(const struct call *call)
{
	const struct record_options *o = call->options;
	char *const *command = call->operands.count ? call->operands.items : NULL;
	_cleanup_(store_freep) struct store *s = NULL;
	struct live_options live = o->live;
	const char *on_demand[5];
	struct live_result result;
	int r = live_check(&o->live);

	if (r < 0)
		return r;
	if (!strcmp(o->output, "-"))
		return failx(-EINVAL, "a recording is a database, which standard output cannot be: -o FILE (./- is a file of that name)");
	live_hold_signals();
	if ((r = store_create(o->output, &s)) < 0)
		return r;
	if (o->redact)
		store_redact(s);
	tell_beginning(o, command);
	if (choose_probes(o, on_demand))
		live.on_demand = on_demand;
	r = live_record(s, &live, command, &result);
	if (result.command_failed || (r < 0 && !store_has_slices(s))) {
		store_withdraw(s);
		s = NULL;
		return r < 0 ? r : result.command_status;
	}
	/* Whatever came first: what was written so far is kept. */
	int finished = store_finish(s);
	if (r < 0 || finished < 0)
		return r < 0 ? r : finished;
	log_info("wrote %s", o->output);
	return command ? result.command_status : EXIT_OK;
}

const struct command cmd_record = {
	.name = "record",
	.summary = "capture this machine into a recording",
	.description =
		"Watches every process of the machine until the time is up, Ctrl-C is pressed, its terminal is closed (but "
		"for nohup), or COMMAND ends: "
		"stacks of what runs at the sampling rate, the exact time of each thread by state, run-queue "
		"latency, names and lives of processes. Nothing needs to be restarted or changed.\n\n"
		"The recording is one SQLite database. It is readable while it is written, and after a crash up "
		"to the last second.\n\n"
		"With COMMAND, the whole machine is recorded while it runs, from its first instruction; -p and "
		"--cgroup narrow that. When the time is up first, the recording ends and perfscope waits for "
		"COMMAND, which is never killed.",
	.operands = (const struct operand[]){
		{"COMMAND", "a command to run and record", .optional = true, .rest = true,
		 .complete = COMPLETE_COMMAND},
		{0}},
	.options = (const struct option_piece[]){
		{rows, 0},
		{live_option_rows, offsetof(struct record_options, live)},
		{0}},
	.options_size = sizeof(struct record_options),
	.defaults = &(const struct record_options){.live = {LIVE_DEFAULTS}, .output = "perfscope.db"},
	.examples = (const struct example[]){
		{"perfscope record -d 30s", "half a minute of the whole machine"},
		{"perfscope record -p 1234 -o service.db", "one process with its children, until Ctrl-C"},
		{"perfscope record -- make -j8", "while a command runs"},
		{"perfscope record --redact -d 1m", "a minute to be shown to others"},
		{0}},
	.exits = (const struct exit_meaning[]){
		{"0", "recorded"},
		{"2", "wrong usage, or cannot record here; stderr says what and how to mend it"},
		{"status of COMMAND", "with COMMAND; 128 + signal if it was killed, 127 or 126 if it could not be run"},
		{"125", "with COMMAND, when perfscope itself failed"},
		{0}},
	.runs_command = true,
	.run = run,
};
