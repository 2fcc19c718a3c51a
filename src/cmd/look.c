// SPDX-License-Identifier: BSD-2-Clause
#include "look.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "incident.h"
#include "live.h"
#include "log.h"
#include "mem.h"
#include "recording.h"
#include "shell.h"
#include "store_query.h"
#include "threads.h"

struct look {
	const struct look_options *options;
	bool live;
	struct store *store;
	struct findings *findings;
};

enum { MOST_OUTPUT = 64 << 10 };
#define MOST_EXEC_NS (60 * NS_PER_S)

void look_free(struct look *l)
{
	if (!l)
		return;
	findings_free(l->findings);
	store_free(l->store);
	free(l);
}

struct store *look_store(const struct look *l)
{
	return l->store;
}

struct findings *look_findings(const struct look *l)
{
	return l->findings;
}

/* Takes the store over, also when it fails. */
static int see(struct look *l, struct store *s)
{
	const struct select_options *select = l->options->select;
	struct findings *f;
	int r = findings_new(s, l->options->rules, &(struct findings_options){
		.pid = (uint32_t)select->pid, .cgroup = select->cgroup, .helped = true}, &f);

	if (r < 0) {
		store_free(s);
		return r;
	}
	findings_free(l->findings);
	store_free(l->store);
	l->findings = f;
	l->store = s;
	return 0;
}

/* In memory, unless it is to be kept. */
static int record(const struct look *l, const char *path, uint64_t duration_ns, struct store **ret_store)
{
	const struct live_options live = {
		LIVE_DEFAULTS, .most_overhead = l->options->most_overhead, .duration_ns = duration_ns};
	_cleanup_(store_freep) struct store *s = NULL;
	struct live_result result;
	int r;

	live_hold_signals();
	r = store_create(path ? path : ":memory:", &s);
	if (r < 0)
		return r;
	log_info("looking at this machine for %.1f s", (double)duration_ns / 1e9);
	r = live_record(s, &live, NULL, &result);
	if (path) {
		int finished = store_finish(s);

		return r < 0 ? r : finished < 0 ? finished : recording_open(path, &(struct select_options){0}, ret_store);
	}
	if (r < 0)
		return r;
	*ret_store = s;
	s = NULL;
	return 0;
}

static int look_now(struct look *l, uint64_t duration_ns)
{
	const struct incident *incident = l->options->incident;
	_cleanup_free_ char *path = incident ? incident_path(incident, "perfscope", "db") : NULL;
	struct store *s;
	int r = record(l, path, duration_ns, &s);

	return r < 0 ? r : see(l, s);
}

static struct look *look_new(const struct look_options *options, bool live)
{
	struct look *l = xcalloc(1, sizeof(*l));

	l->options = options;
	l->live = live;
	return l;
}

/* 1 when it is in the recording, or nobody is asked for; else all would be well with whoever is not there. */
static int is_there(struct store *s, const struct selection *selection)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r;

	if (!selection->pid && !selection->cgroup)
		return 1;
	return (r = store_selected_processes(s, selection, &q)) < 0 ? r : query_next(q);
}

static int fail_missing(const struct selection *selection)
{
	if (selection->pid)
		return failx(-ESRCH, "there is no process %u", selection->pid);
	return failx(-ESRCH, "there is no process in cgroup %s", selection->cgroup);
}

/* Everything is recorded, even with -p: what holds a process up is often another one. */
int look_at_machine(uint64_t duration_ns, const struct look_options *options, struct look **ret_look)
{
	_cleanup_(look_freep) struct look *l = look_new(options, true);
	const struct selection selection = {.pid = (uint32_t)options->select->pid, .cgroup = options->select->cgroup};
	int r;

	if (selection.pid && kill((pid_t)selection.pid, 0) < 0 && errno == ESRCH)
		return fail_missing(&selection);
	if ((r = look_now(l, duration_ns)) < 0 || (r = is_there(l->store, &selection)) < 0)
		return r;
	if (!r)
		return fail_missing(&selection);
	*ret_look = l;
	l = NULL;
	return 0;
}

int look_at_recording(const char *path, const struct look_options *options, struct look **ret_look)
{
	_cleanup_(look_freep) struct look *l = look_new(options, false);
	const struct selection selection = {.pid = (uint32_t)options->select->pid, .cgroup = options->select->cgroup};
	struct select_options when = *options->select;
	struct store *s;
	int r;

	when.pid = 0;
	when.cgroup = NULL;
	if ((r = recording_open(path, &when, &s)) < 0)
		return r;
	if ((r = is_there(s, &selection)) <= 0) {
		r = r < 0 ? r : store_fail_selection(s, &selection);
		store_free(s);
		return r;
	}
	if ((r = see(l, s)) < 0)
		return r;
	if (options->incident && (r = incident_copy(options->incident, path)) < 0)
		return r;
	*ret_look = l;
	l = NULL;
	return 0;
}

static int collect(void *arg, uint64_t ns, struct store **ret_store, const struct findings **ret_findings)
{
	struct look *l = arg;
	int r = look_now(l, ns);

	*ret_store = l->store;
	*ret_findings = l->findings;
	return r;
}

static int wait_for(void *arg, uint64_t ns)
{
	const struct timespec span = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
	sigset_t ends, before;

	log_info("waiting for %.1f s", (double)ns / 1e9);
	live_end_signals(&ends);
	sigprocmask(SIG_BLOCK, &ends, &before);
	int number = sigtimedwait(&ends, NULL, &span);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return number > 0 ? failx(-EINTR, "interrupted") : 0;
}

static int dump_threads(void *arg, uint32_t pid, struct buf *text)
{
	const struct look *l = arg;
	_cleanup_(threads_freep) struct threads *t = NULL;
	int r = threads_take(&(struct threads_options){.pid = pid, .settle_ns = 100 * NS_PER_MS}, &t);

	if (r < 0)
		return r;
	threads_text(t, &(struct threads_style){0}, text);
	return l->options->incident ? incident_write(l->options->incident, "threads", "txt", text->data) : 0;
}

static int draw(void *arg, const char *kind, uint32_t pid, struct buf *text)
{
	const struct look *l = arg;
	enum profile profile = PROFILE_CPU;

	while (profile < PROFILES && strcmp(profile_names[profile], kind))
		profile++;
	return incident_flamegraph(l->options->incident, l->store, l->options->select, profile, pid, text);
}

static int execute(void *arg, const char *command, struct buf *text)
{
	return shell_run(command, MOST_EXEC_NS, MOST_OUTPUT, text);
}

struct runbook_actions look_actions(struct look *l)
{
	return (struct runbook_actions){
		.arg = l,
		.collect = l->live ? collect : NULL,
		.wait = l->live ? wait_for : NULL,
		.threads = l->live ? dump_threads : NULL,
		.flamegraph = l->options->incident ? draw : NULL,
		.execute = l->options->allow_exec ? execute : NULL,
	};
}
