// SPDX-License-Identifier: BSD-2-Clause
/* Samples a running process under ptrace and unwinds each sample: which share reaches the root, what
 * ends the others, what libdw says, what it costs. No privileges beyond ptrace.
 *
 *   unwind-sample PID [SAMPLES]          statistics
 *   unwind-sample PID case               one sample as a test case, on stdout */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "capture.h"
#include "case.h"
#include "clock.h"
#include "fail.h"

#define STACK_MAX (256u << 10)

struct totals {
	unsigned samples, complete, unlike, reasons[UNWIND_REASONS], unreadable;
	uint64_t ns, frames, by_fp, bytes;
};

static char state_of(pid_t pid, pid_t tid)
{
	char path[64], line[512];
	_cleanup_fclose_ FILE *f = NULL;
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f) || !(end = strrchr(line, ')')) || !end[1])
		return 0;
	return end[2];
}

/* A thread that runs, a different one each time; the leader when none does. */
static pid_t pick_thread(pid_t pid)
{
	char path[64];
	struct dirent *e;
	pid_t found = pid;
	unsigned running = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		pid_t tid = atoi(e->d_name);

		if (tid > 0 && state_of(pid, tid) == 'R' && rand() % ++running == 0)
			found = tid;
	}
	if (d)
		closedir(d);
	return found;
}

/* Stops the thread; the signal to let it go on with, or negative errno. */
static int stop_thread(pid_t tid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0)
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 || waitpid(tid, &status, __WALL) != tid ||
	    !WIFSTOPPED(status))
		return -ESRCH;
	return status >> 16 ? 0 : WSTOPSIG(status);
}

static void unwind_timed(struct capture *c, struct unwind_output *out, struct totals *t)
{
	uint64_t begin;

	begin = clock_mono_ns();
	unwind_stack(&c->input, out);
	t->ns += clock_mono_ns() - begin;
	if (out->missing && !capture_more(c, out->missing, STACK_MAX))
		unwind_stack(&c->input, out);
}

static void add(struct totals *t, const struct capture *c, const struct unwind_output *out)
{
	t->samples++;
	t->complete += out->status == UNWIND_COMPLETE;
	t->unreadable += out->status == UNWIND_UNREADABLE;
	t->reasons[out->reason]++;
	t->frames += out->count;
	t->by_fp += out->by_fp;
	t->bytes += c->stacks[0].len;
}

static bool like_libdw(const struct unwind_output *out, struct oracle *o, pid_t tid)
{
	static uint64_t ip[UNWIND_FRAMES_MAX];
	size_t count = o ? oracle_frames(o, tid, ip, UNWIND_FRAMES_MAX) : 0;

	for (size_t i = 0; i < count && i < out->count; i++)
		if (out->ip[i] != ip[i])
			return false;
	return true;
}

static void show(const struct unwind_output *out, struct oracle *o, const char *why)
{
	fprintf(stderr, "%s: %s\n", why, unwind_reason_text(out->reason));
	for (uint32_t i = 0; i < out->count; i++) {
		const char *name = o ? oracle_name(o, unwind_lookup_ip(out, i)) : NULL;

		fprintf(stderr, "  %016lx %s\n", out->ip[i], name ? name : "?");
	}
}

static int sample(pid_t pid, struct totals *t, const char *mode)
{
	static struct unwind_output out;
	_cleanup_(capture_freep) struct capture *c = NULL;
	_cleanup_(oracle_freep) struct oracle *o = NULL;
	pid_t tid = pick_thread(pid);
	int signal = stop_thread(tid), r;

	if (signal < 0)
		return fail(signal, "stop thread %d", tid);
	r = capture_new(pid, &c);
	if (r >= 0)
		r = capture_take(c, tid, STACK_MAX);
	if (r >= 0) {
		unwind_timed(c, &out, t);
		add(t, c, &out);
		o = oracle_new(pid);
		if (!like_libdw(&out, o, tid)) {
			t->unlike++;
			if (!strcmp(mode, "-v"))
				show(&out, o, "unlike libdw");
		}
		if (!strcmp(mode, "case"))
			r = case_write(c, &out, o, stdout);
		else if (!strcmp(mode, "-v") && out.status == UNWIND_TRUNCATED)
			show(&out, o, "truncated");
	}
	ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)signal);
	return r;
}

static void report(const struct totals *t)
{
	if (!t->samples)
		return;
	printf("%u samples, %.1f %% complete, %u unlike libdw, %.1f frames (%.1f %% by frame pointer), "
	       "%.0f KB, %.2f us cold\n",
	       t->samples, 100.0 * t->complete / t->samples, t->unlike, (double)t->frames / t->samples,
	       100.0 * t->by_fp / (t->frames ? t->frames : 1), (double)t->bytes / t->samples / 1024,
	       (double)t->ns / t->samples / 1000);
	for (int i = 1; i < UNWIND_REASONS; i++)
		if (t->reasons[i])
			printf("  %5u %s\n", t->reasons[i], unwind_reason_text((enum unwind_reason)i));
}

int main(int argc, char **argv)
{
	pid_t pid = argc > 1 ? atoi(argv[1]) : 0;
	const char *mode = argc > 2 ? argv[argc - 1] : "";
	int samples = argc > 2 ? atoi(argv[2]) : 100;
	struct totals t = {0};

	if (pid <= 0) {
		fprintf(stderr, "usage: %s PID [SAMPLES [-v] | case]\n", argv[0]);
		return 2;
	}
	if (!strcmp(mode, "case"))
		samples = 1;
	for (int i = 0; i < samples; i++) {
		struct timespec pause = {.tv_nsec = 1000000 + rand() % 4000000};

		if (sample(pid, &t, mode) < 0) {
			fprintf(stderr, "%s\n", fail_message());
			return 1;
		}
		nanosleep(&pause, NULL);
	}
	if (strcmp(mode, "case"))
		report(&t);
	return 0;
}
