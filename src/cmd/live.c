// SPDX-License-Identifier: BSD-2-Clause
#include "live.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "deadlock.h"
#include "fail.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "output.h"
#include "parse.h"
#include "pmu_events.h"
#include "recorder.h"

enum { LONGEST_TURN_US = 1000000 };

const struct option live_option_rows[] = {
	{"frequency", 'F', OPTION_U64(struct live_options, frequency), .value = "HZ", .min = 1, .max = 10000,
	 .help = "samples a second on each CPU"},
	{"stack-bytes", 0, OPTION_SIZE(struct live_options, stack_bytes), .value = "SIZE", .min = 4 << 10, .max = 256 << 10,
	 .help = "copy at most so much of a stack, in whole pages: a longer one is cut; at 256K, four times the kernel memory"},
	{"max-overhead", 0, OPTION_PERCENT(struct live_options, most_overhead), .value = "PERCENT",
	 .help = MOST_OVERHEAD_HELP},
	{"pid", 'p', OPTION_U64(struct live_options, pid), .value = "PID", .min = 1, .max = 4194304,
	 .complete = COMPLETE_PID, .no_setting = true, .help = "only this process, its threads and its children"},
	{"cgroup", 0, OPTION_STRING(struct live_options, cgroup), .value = "PATH", .no_setting = true,
	 .help = "only processes of this cgroup and those below it, as /proc/PID/cgroup writes it"},
	{"cpu", 'C', OPTION_STRING(struct live_options, cpus), .value = "LIST", .no_setting = true,
	 .help = "sample only these CPUs, such as 0-3,8"},
	{"include-own", 0, OPTION_FLAG(struct live_options, include_own),
	 .help = "sample perfscope's own processes, too"},
	{"inline", 0, OPTION_FLAG(struct live_options, inlined),
	 .help = "show inlined functions where there is debug info (slower)"},
	{0},
};

struct live {
	const struct live_options *options;
	struct store *store;
	struct loop *loop;
	struct recorder *recorder;
	bool interrupted, progress;
};

static int time_is_up(void *arg, uint32_t events)
{
	loop_stop(((struct live *)arg)->loop);
	return 0;
}

static int interrupted(void *arg, uint32_t number)
{
	struct live *live = arg;

	live->interrupted = true;
	loop_stop(live->loop);
	return 0;
}

static void show_progress(void *arg)
{
	struct live *live = arg;
	double elapsed, duration = (double)live->options->duration_ns / 1e9;

	if (!live->progress || !live->recorder)
		return;
	elapsed = (double)recorder_elapsed_ns(live->recorder) / 1e9;
	fprintf(stderr, "\r\033[Kperfscope: recording %.0f s", elapsed);
	if (live->options->duration_ns)
		fprintf(stderr, " of %.0f", duration);
	fprintf(stderr, ", %llu samples", (unsigned long long)recorder_stats(live->recorder).samples);
}

static void end_progress(const struct live *live)
{
	if (live->progress)
		fputs("\r\033[K", stderr);
}

static const int ends[] = {SIGINT, SIGTERM, SIGHUP};

/* nohup wants it to go on. A blocked signal would be heard of all the same. */
static bool is_heeded(int number)
{
	struct sigaction action;

	return number != SIGHUP || (!sigaction(number, NULL, &action) && action.sa_handler != SIG_IGN);
}

void live_end_signals(sigset_t *ret)
{
	sigemptyset(ret);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (is_heeded(ends[i]))
			sigaddset(ret, ends[i]);
}

void live_hold_signals(void)
{
	sigset_t set;

	live_end_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int prepare_loop(struct live *live)
{
	int r = loop_new(&live->loop);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(ends); i++)
		if (is_heeded(ends[i]))
			r = loop_add_signal(live->loop, ends[i], interrupted, live);
	return r < 0 ? fail(r, "prepare the event loop") : 0;
}

static int arm(struct live *live, struct child *child)
{
	int r = 0;

	if (live->options->duration_ns)
		r = loop_add_timer(live->loop, live->options->duration_ns, 0, time_is_up, live, NULL);
	if (r >= 0 && child)
		r = loop_add_fd(live->loop, child_fd(child), EPOLLIN, time_is_up, live, NULL);
	return r < 0 ? fail(r, "prepare the event loop") : 0;
}

static void tell_losses(const struct live *live)
{
	struct recorder_stats stats = recorder_stats(live->recorder);
	const char *name, *reason;

	for (uint32_t i = 0; (name = recorder_unavailable(live->recorder, i, &reason)); i++)
		log_warning("probe %s is not available here: %s", name, reason);
	if (stats.lost_records || stats.lost_threads || stats.lost_mappings)
		log_warning("lost: %llu events, %llu threads' times, %llu mappings",
			    (unsigned long long)stats.lost_records, (unsigned long long)stats.lost_threads,
			    (unsigned long long)stats.lost_mappings);
}

static int run(struct live *live, struct child *child, struct live_result *result)
{
	int r, stopped;

	if (child && child_release(child) < 0) {
		/* Nothing ran that could be recorded: as a shell would, say why. */
		output_error("record");
		result->command_failed = true;
		loop_stop(live->loop);
		return recorder_stop(live->recorder);
	}
	r = arm(live, child);
	if (r >= 0)
		r = loop_run(live->loop);
	end_progress(live);
	if (r < 0)
		return r;
	deadlock_record(live->store);
	unanswered_record(live->store);
	shut_out_record(live->store);
	stopped = recorder_stop(live->recorder);
	result->interrupted = live->interrupted;
	if (stopped >= 0)
		tell_losses(live);
	return stopped;
}

static int parse_cpus(const struct live_options *o, struct cpus *cpus)
{
	int r = o->cpus ? parse_cpu_list(o->cpus, cpus->bits, CPUS_MOST) : 0;

	return r < 0 ? fail_in(r, "--cpu") : 0;
}

int live_check(const struct live_options *o)
{
	struct cpus cpus = {0};
	int r = o->events ? pmu_events_check(o->events) : 0;

	return r < 0 ? r : parse_cpus(o, &cpus);
}

static int open_recorder(struct store *s, struct live *live, struct child *child)
{
	const struct live_options *o = live->options;
	struct cpus cpus = {0};
	int r = parse_cpus(o, &cpus);

	if (r < 0)
		return r;
	return recorder_new(s, live->loop, &(struct recorder_options){
		.frequency = o->frequency, .stack_bytes = (uint32_t)(o->stack_bytes + 4095) & ~4095u,
		.most_overhead = live_most_overhead(o->most_overhead),
		.slice_ns = NS_PER_S, .pid = (uint32_t)o->pid, .cgroup = o->cgroup,
		.cpus = o->cpus ? &cpus : NULL, .include_own = o->include_own, .inlined = o->inlined, .on_demand = o->on_demand, .events = o->events,
		.command = child ? child_pid(child) : 0, .slice = show_progress, .arg = live}, &live->recorder);
}

void live_come_first(void)
{
	setpriority(PRIO_PROCESS, 0, -10);
}

/* What never rests is no longer about to answer a key: it may not keep a CPU from everybody else. */
static void be_one_of_many(int number)
{
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
}

void live_answer_at_once(void)
{
	const struct rlimit without_a_break = {LONGEST_TURN_US, RLIM_INFINITY};
	struct sigaction action = {.sa_handler = be_one_of_many, .sa_flags = SA_RESTART};

	if (setrlimit(RLIMIT_RTTIME, &without_a_break) < 0 || sigaction(SIGXCPU, &action, NULL) < 0)
		return;
	sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &(struct sched_param){.sched_priority = 1});
}

double live_most_overhead(double percent)
{
	return percent > 0 ? percent / 100 : fmax(0.02, 0.1 / (double)sysconf(_SC_NPROCESSORS_ONLN));
}

int live_record(struct store *s, const struct live_options *o, char *const *command, struct live_result *ret_result)
{
	struct live live = {.options = o, .store = s, .progress = output_is_terminal(STDERR_FILENO) && log_is_enabled(LOG_NORMAL)};
	_cleanup_(child_freep) struct child *child = NULL;
	_cleanup_(loop_freep) struct loop *loop = NULL;
	_cleanup_(recorder_freep) struct recorder *recorder = NULL;
	int r;

	*ret_result = (struct live_result){0};
	r = prepare_loop(&live);
	loop = live.loop;
	if (r < 0 || (command && (r = child_new(command, &child)) < 0))
		return r;
	live_come_first();
	r = open_recorder(s, &live, child);
	recorder = live.recorder;
	if (r >= 0)
		r = run(&live, child, ret_result);
	if (r < 0)
		return r;
	if (child) {
		r = ret_result->command_status = child_wait(child);
		if (r < 0)
			return r;
	}
	return 0;
}
