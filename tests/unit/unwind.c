// SPDX-License-Identifier: BSD-2-Clause
/* The unwinder against stacks of known shape and against libdw's opinion, without privileges. */
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "capture.h"
#include "fail.h"

#define WHOLE (8u << 20)

static char *workload(const char *variant)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);

	if (n < 0)
		return NULL;
	path[n] = '\0';
	for (int i = 0; i < 2; i++) /* build/tests/unit/x -> build/tests */
		*strrchr(path, '/') = '\0';
	snprintf(path + strlen(path), 64, "/unwind/workload-%s", variant);
	return path;
}

/* Runs the tracee to its next stop by SIGTRAP; other signals are delivered. False: it ended. */
static bool run_to_stop(pid_t *tid, pid_t pid, int request)
{
	int status, pass = 0;

	for (;;) {
		if (ptrace(request, *tid, NULL, (void *)(intptr_t)pass) < 0)
			return false;
		*tid = waitpid(-1, &status, __WALL);
		if (*tid < 0 || (*tid == pid && !WIFSTOPPED(status)))
			return false;
		pass = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
		if (pass == SIGTRAP && !(status >> 16))
			return true;
		if (pass == SIGTRAP || pass == SIGSTOP) { /* a new thread: let both go on */
			pass = 0;
			if (status >> 16)
				request = PTRACE_CONT;
		}
	}
}

/* The workload, stopped at its first breakpoint. */
static pid_t start(const char *variant, const char *mode, const char *depth)
{
	char *path = workload(variant);
	pid_t pid = fork(), tid = pid;
	int status;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execl(path, path, mode, depth, NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -1;
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL);
	return run_to_stop(&tid, pid, PTRACE_CONT) ? pid : -1;
}

static void finish(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool same_frames(const struct unwind_output *out, const uint64_t *ip, size_t count)
{
	bool same = out->count == count;

	for (size_t i = 0; same && i < count; i++)
		same = out->ip[i] == ip[i];
	return same;
}

/* How many consecutive frames from the second on return to the same address. */
static unsigned recursion(const struct unwind_output *out)
{
	unsigned most = 0, run = 1;

	for (uint32_t i = 1; i < out->count; i++) {
		run = out->ip[i] == out->ip[i - 1] ? run + 1 : 1;
		most = run > most ? run : most;
	}
	return most;
}

struct shape {
	const char *variant, *mode, *depth;
	size_t copy;
	enum unwind_status status;
	enum unwind_reason reason;
	unsigned recursion; /* at least; exact when complete: one call site less than the depth */
};

static void test_shape(const struct shape *s)
{
	static struct unwind_output out;
	static uint64_t ip[UNWIND_FRAMES_MAX];
	_cleanup_(capture_freep) struct capture *c = NULL;
	_cleanup_(oracle_freep) struct oracle *o = NULL;
	pid_t pid = start(s->variant, s->mode, s->depth);
	int failed = check_failed;

	CHECK(pid > 0 && capture_new(pid, &c) == 0 && capture_take(c, pid, s->copy) == 0);
	if (check_failed != failed)
		return;
	unwind_stack(&c->input, &out);
	if (out.reason == UNWIND_REASON_OTHER_STACK && capture_more(c, out.missing, s->copy) == 0)
		unwind_stack(&c->input, &out);
	CHECK(out.status == s->status && out.reason == s->reason);
	if (s->status == UNWIND_COMPLETE) {
		o = oracle_new(pid);
		CHECK(o && same_frames(&out, ip, oracle_frames(o, pid, ip, UNWIND_FRAMES_MAX)));
		CHECK(!s->recursion || recursion(&out) == s->recursion);
	} else {
		CHECK(recursion(&out) >= s->recursion);
	}
	if (check_failed != failed) {
		fprintf(stderr, "  %s %s %s: %s, %u frames, recursion %u\n", s->variant, s->mode, s->depth,
			unwind_reason_text(out.reason), out.count, recursion(&out));
		for (uint32_t i = 0; i < out.count && i < 12; i++)
			fprintf(stderr, "    %lx %s | %lx\n", out.ip[i],
				o ? oracle_name(o, unwind_lookup_ip(&out, i)) : "", ip[i]);
	}
	finish(pid);
}

static void test_shapes(void)
{
	static const struct shape shapes[] = {
		{"nofp", "small", "500", WHOLE, .recursion = 499},
		{"fp", "small", "500", WHOLE, .recursion = 499},
		{"static", "small", "500", WHOLE, .recursion = 499},
		{"stripped", "small", "500", WHOLE, .recursion = 499},
		{"debug-frame", "small", "500", WHOLE, .recursion = 499},
		{"nofp", "large", "30", 256 << 10, .recursion = 29},
		{"nofp", "large", "500", 256 << 10, UNWIND_TRUNCATED, UNWIND_REASON_COPY_ENDED, 60},
		{"nofp", "large", "500", WHOLE, .recursion = 499},
		{"nofp", "small", "2000", WHOLE, UNWIND_TRUNCATED, UNWIND_REASON_DEPTH, 1000},
		{"nofp", "aligned", "50", WHOLE, .recursion = 49},
		{"fp", "aligned", "50", WHOLE, .recursion = 49},
		{"nofp", "callback", "0", WHOLE, .recursion = 0},
		{"static", "callback", "0", WHOLE, .recursion = 0},
		{"nofp", "signal", "10", WHOLE, .recursion = 9},
		{"nofp", "altstack", "10", WHOLE, .recursion = 9},
		{"static", "altstack", "10", WHOLE, .recursion = 9},
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		test_shape(&shapes[i]);
}

int main(void)
{
	test_shapes();
	return check_done("unwind");
}
