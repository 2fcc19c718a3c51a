// SPDX-License-Identifier: BSD-2-Clause
#include "live_findings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "buf.h"
#include "clock.h"
#include "findings.h"
#include "io.h"
#include "loop.h"
#include "mem.h"
#include "rule.h"
#include "rule_folders.h"
#include "store_query.h"

/* Rules are made for some seconds of a machine: less is noise, and more is not now. */
#define SHORTEST_NS (5 * NS_PER_S)
#define LOOK_BACK_NS (30 * NS_PER_S)
#define PAUSE_NS (5 * NS_PER_S)

enum { COST_SHARE = 100, LONGEST_CPU_S = 20, LONGEST_ANSWER = 4 << 20 };

struct live_findings {
	struct store *store;
	struct loop *loop;
	int (*changed)(void *arg);
	void *arg;
	struct rules *rules;
	json_t *found;    /* an array */
	uint64_t next_ns; /* CLOCK_MONOTONIC */

	pid_t child; /* 0: none */
	int fd;
	struct loop_source *source;
	struct buf answer;
};

struct live_findings *live_findings_new(struct store *s, struct loop *l, int (*changed)(void *arg), void *arg)
{
	_cleanup_(rule_folders_freep) struct rule_folders *folders = rule_folders_new();
	struct live_findings *f = xmalloc(sizeof(*f));

	*f = (struct live_findings){.store = s, .loop = l, .changed = changed, .arg = arg, .answer = BUF_INIT,
				    .rules = rules_new(rule_folders_list(folders)), .found = json_array()};
	return f;
}

static void end_child(struct live_findings *f, uint64_t *ret_cpu_ns)
{
	struct rusage usage = {0};

	loop_remove(f->loop, f->source);
	close(f->fd);
	wait4(f->child, NULL, 0, &usage);
	f->child = 0;
	buf_reset(&f->answer);
	*ret_cpu_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
		      (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

void live_findings_free(struct live_findings *f)
{
	uint64_t cpu_ns;

	if (!f)
		return;
	if (f->child) {
		kill(f->child, SIGKILL);
		end_child(f, &cpu_ns);
	}
	buf_done(&f->answer);
	json_decref(f->found);
	rules_free(f->rules);
	free(f);
}

/* The child's whole life. What it inherits is a copy; of what is shared it touches nothing but the pipe. */
static _Noreturn void ask(const struct live_findings *f, int fd, uint64_t recorded_ns)
{
	static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
	const struct rlimit cpu = {LONGEST_CPU_S, LONGEST_CPU_S};
	struct findings *found;
	char *text = NULL;

	/* Its crash is not to restore the terminal. */
	for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		signal(fatal_signals[i], SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CPU, &cpu);
	setpriority(PRIO_PROCESS, 0, 10);
	if (store_select(f->store, &(struct selection){
		.from_ns = recorded_ns > LOOK_BACK_NS ? recorded_ns - LOOK_BACK_NS : 0, .to_ns = recorded_ns}) == 0 &&
	    findings_new(f->store, f->rules, &(struct findings_options){0}, &found) == 0)
		text = json_dumps(findings_json(found), JSON_COMPACT);
	_exit(text && write_all(fd, text, strlen(text)) == 0 ? 0 : 1);
}

static int take_answer(struct live_findings *f)
{
	json_t *found = json_loadb(f->answer.data, f->answer.len, 0, NULL);
	uint64_t cpu_ns;

	end_child(f, &cpu_ns);
	f->next_ns = clock_mono_ns() + (COST_SHARE * cpu_ns > PAUSE_NS ? COST_SHARE * cpu_ns : PAUSE_NS);
	if (!json_is_array(found)) {
		json_decref(found);
		return 0;
	}
	json_decref(f->found);
	f->found = found;
	return f->changed ? f->changed(f->arg) : 0;
}

static int read_answer(void *arg, uint32_t events)
{
	struct live_findings *f = arg;
	char part[16384];
	ssize_t n = read(f->fd, part, sizeof(part));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0 && f->answer.len + (size_t)n <= LONGEST_ANSWER) {
		buf_add(&f->answer, part, (size_t)n);
		return 0;
	}
	return take_answer(f);
}

void live_findings_update(struct live_findings *f, uint64_t recorded_ns)
{
	int fds[2];

	if (f->child || recorded_ns < SHORTEST_NS || clock_mono_ns() < f->next_ns || pipe2(fds, O_CLOEXEC) < 0)
		return;
	f->child = fork();
	if (f->child == 0) {
		close(fds[0]);
		ask(f, fds[1], recorded_ns);
	}
	close(fds[1]);
	f->fd = fds[0];
	if (f->child < 0) {
		f->child = 0;
		close(f->fd);
		return;
	}
	fcntl(f->fd, F_SETFL, O_NONBLOCK);
	if (loop_add_fd(f->loop, f->fd, EPOLLIN, read_answer, f, &f->source) < 0) {
		uint64_t cpu_ns;

		f->source = NULL;
		kill(f->child, SIGKILL);
		end_child(f, &cpu_ns);
	}
}

static const char *text_of(const json_t *finding, const char *key)
{
	const char *text = json_string_value(json_object_get(finding, key));

	return text ? text : "";
}

size_t live_findings_get(const struct live_findings *f, struct ui_finding *findings, size_t most)
{
	size_t count = json_array_size(f->found);

	if (count > most)
		count = most;
	for (size_t i = 0; i < count; i++) {
		const json_t *from = json_array_get(f->found, i);

		findings[i] = (struct ui_finding){text_of(from, "id"), text_of(from, "severity"), text_of(from, "title")};
	}
	return count;
}

json_t *live_findings_json(const struct live_findings *f)
{
	return json_incref(f->found);
}
