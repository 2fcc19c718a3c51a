// SPDX-License-Identifier: BSD-2-Clause
/* What the unwinder costs.
 *
 *   unwind-bench FILE...          tables: rows, bytes, time to build
 *   unwind-bench -p PID [SAMPLES] stacks of a running process: time to unwind one, tables in memory */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "capture.h"
#include "clock.h"
#include "fail.h"
#include "mem.h"

#define STACK_MAX (64u << 10)
#define ROUNDS 21
#define SAMPLES_MAX 2000

struct kept {
	struct unwind_regs regs;
	struct unwind_stack stack;
};

static int by_value(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static uint64_t median(uint64_t *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return values[count / 2];
}

static int bench_table(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t ns[ROUNDS];

	if (fd < 0)
		return fail(-errno, "open %s", path);
	for (int i = 0; i < ROUNDS; i++) {
		_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
		uint64_t begin = clock_cpu_ns();
		int r = unwind_table_build(fd, NULL, &t);

		ns[i] = clock_cpu_ns() - begin;
		if (r < 0)
			return fail_in(r, "%s", path);
		if (i == ROUNDS - 1) {
			const struct unwind_table_info *info = unwind_table_info(t);

			printf("%-28.28s %8u rows %5u rules %4u unsupported %8.1f KB %5.2f B/row %7.1f ms\n",
			       strrchr(path, '/') ? strrchr(path, '/') + 1 : path, info->rows, info->rules,
			       info->unsupported, (double)info->bytes / 1024,
			       info->rows ? (double)info->bytes / info->rows : 0, (double)median(ns, ROUNDS) / 1e6);
		}
	}
	return 0;
}

static int take(struct capture *c, pid_t pid, struct kept *k)
{
	int status, r;
	void *copy;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 ||
	    waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return fail(-errno, "stop process %d", pid);
	r = capture_take(c, pid, STACK_MAX);
	ptrace(PTRACE_DETACH, pid, NULL, (void *)(intptr_t)(status >> 16 ? 0 : WSTOPSIG(status)));
	if (r < 0)
		return r;
	copy = xmalloc(c->stacks[0].len);
	memcpy(copy, c->stacks[0].bytes, c->stacks[0].len);
	*k = (struct kept){c->input.regs, {c->stacks[0].start, copy, c->stacks[0].len}};
	return 0;
}

static void bench_stacks(struct capture *c, struct kept *kept, size_t count)
{
	static struct unwind_output out;
	_cleanup_free_ uint64_t *ns = xcalloc(count * ROUNDS, sizeof(*ns));
	struct unwind_input in = c->input;
	uint64_t frames = 0, complete = 0;
	size_t n = 0;

	in.stack_count = 1;
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < count; i++) {
			uint64_t begin;

			in.regs = kept[i].regs;
			in.stacks = &kept[i].stack;
			begin = clock_mono_ns();
			unwind_stack(&in, &out);
			ns[n++] = clock_mono_ns() - begin;
			frames += out.count;
			complete += out.status == UNWIND_COMPLETE;
		}
	median(ns, n);
	printf("%6zu stacks %5.1f frames %5.1f %% complete   ns a stack: median %5lu  p99 %6lu\n", count,
	       (double)frames / (double)n, 100.0 * (double)complete / (double)n, ns[n / 2], ns[n * 99 / 100]);
}

static int bench_process(pid_t pid, size_t count)
{
	_cleanup_(capture_freep) struct capture *c = NULL;
	_cleanup_free_ struct kept *kept = xcalloc(count, sizeof(*kept));
	size_t n = 0;
	int r = capture_new(pid, &c);

	while (r >= 0 && n < count) {
		struct timespec pause = {.tv_nsec = 500000 + rand() % 2000000};

		r = take(c, pid, &kept[n]);
		n += r >= 0;
		nanosleep(&pause, NULL);
	}
	if (r >= 0)
		bench_stacks(c, kept, n);
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)kept[i].stack.bytes);
	return r;
}

int main(int argc, char **argv)
{
	int count = argc > 3 ? atoi(argv[3]) : 300, r = 0;

	if (argc < 2 || count < 1 || count > SAMPLES_MAX) {
		fprintf(stderr, "usage: %s FILE... | -p PID [SAMPLES]\n", argv[0]);
		return 2;
	}
	if (!strcmp(argv[1], "-p"))
		r = bench_process(argc > 2 ? atoi(argv[2]) : 0, (size_t)count);
	for (int i = 1; r >= 0 && i < argc && strcmp(argv[1], "-p") != 0; i++)
		r = bench_table(argv[i]);
	if (r < 0)
		fprintf(stderr, "%s\n", fail_message());
	return r < 0;
}
