/* SPDX-License-Identifier: BSD-2-Clause */
/* Recording now: the options and the event loop that record and diagnose share. */
#pragma once
#include <signal.h>

#include "command.h"

struct store;

struct live_options {
	uint64_t duration_ns; /* 0: until interrupted, or the command ends */
	uint64_t frequency;
	uint64_t stack_bytes; /* of a user stack */
	uint64_t pid;
	const char *cgroup;
	const char *cpus;
	double most_overhead; /* percent of all CPUs; 0: the default */
	bool include_own, inlined;
	const char *const *on_demand; /* probes that cost much; NULL: none */
	const char *events; /* for the probe pmu; NULL: the usual */
};
#define LIVE_DEFAULTS .frequency = 99, .stack_bytes = 64 << 10
extern const struct option live_option_rows[]; /* all but the duration */

struct live_result {
	bool interrupted;   /* by a signal */
	bool command_failed; /* it could not be run: nothing was recorded that anybody asked for */
	int command_status; /* as a shell says it: 128 + signal, 127 not found, 126 not runnable; 0 without command */
};

int live_check(const struct live_options *o); /* what can be said to be wrong before anything is begun */

void live_end_signals(sigset_t *ret); /* SIGINT, SIGTERM and, but under nohup, SIGHUP */
/* These wait for live_record(), which ends by them: what is begun before is finished, too. */
void live_hold_signals(void);

/* Records into the store until the time is up, the command has ended or a signal comes; then waits for the
 * command. `command` ends with NULL or is NULL. Progress goes to stderr. */
int live_record(struct store *s, const struct live_options *o, char *const *command, struct live_result *ret_result);

/* On a starved machine the rings would run over, and keys lie about, while this process waits its turn; it needs little of a CPU. */
void live_come_first(void);
/* For who waits at a keyboard: scheduled in real time where that is allowed, until it takes a second without a break. What it starts
 * from now on is not. */
void live_answer_at_once(void);

/* The share of all CPUs that --max-overhead allows: without it 2 percent, which nobody notices beside the noise of other work,
 * but no less than a tenth of one CPU, because what it takes to see well does not shrink with the machine. */
double live_most_overhead(double percent);
#define MOST_OVERHEAD_HELP \
	"take at most so much of all CPUs, else look less closely and say so (default: 2, or a tenth of one CPU if that is more)"
