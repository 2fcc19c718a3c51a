// SPDX-License-Identifier: BSD-2-Clause
/* What it costs to have copied stacks unwound by the child: CPU time a sample on both sides, and
 * how much of the child's is unwinding itself.
 *
 *   unwind-transport WORKLOAD [DEPTH]    WORKLOAD: build/tests/unwind/workload-nofp */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "clock.h"
#include "fail.h"
#include "mem.h"
#include "symbolizer.h"

#define ROUNDS 15
#define SPACE 1

struct run {
	struct symbolizer *s;
	struct capture *capture;
	unsigned char *bytes; /* the stack, padded to the size that is tried */
	uint64_t answers, frames, complete;
};

static void on_symbol(void *arg, uint32_t frame, const struct symbol *symbols, size_t count)
{
	(void)arg, (void)frame, (void)symbols, (void)count;
}

static void on_unwound(void *arg, uint64_t cookie, const uint64_t *addresses, size_t depth,
		       enum unwind_status status, enum unwind_reason reason)
{
	struct run *run = arg;

	(void)cookie, (void)addresses, (void)reason;
	run->answers++;
	run->frames += depth;
	run->complete += status == UNWIND_COMPLETE;
}

static pid_t start(const char *workload, const char *depth)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execl(workload, workload, "small", depth, NULL);
		_exit(127);
	}
	for (int stops = 0; stops < 2; stops++) { /* the exec, the breakpoint */
		if (stops)
			ptrace(PTRACE_CONT, pid, NULL, NULL);
		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return -1;
	}
	return pid;
}

static int define_space(struct run *run, pid_t pid)
{
	struct symbol_space_mapping m[64];
	char line[1024], path[512], flags[8];
	uint64_t from, to, offset;
	struct stat st;
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	_cleanup_fclose_ FILE *maps = fopen(path, "re");
	while (maps && count < ARRAY_SIZE(m) && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %511[^\n]", &from, &to, flags, &offset,
			   path) != 5 ||
		    flags[2] != 'x' || stat(path, &st) < 0)
			continue;
		struct symbol_mapping file = {.pid = pid,
					      .start = from,
					      .end = to,
					      .offset = offset,
					      .path = path,
					      .dev_major = major(st.st_dev),
					      .dev_minor = minor(st.st_dev),
					      .inode = st.st_ino};
		m[count++] = (struct symbol_space_mapping){from, to, offset,
							   symbolizer_elf(run->s, &file)};
	}
	return symbolizer_space(run->s, SPACE, m, count);
}

static void finish_batch(struct run *run, uint64_t asked)
{
	struct pollfd wait = {.fd = symbolizer_fd(run->s), .events = POLLIN};

	while (run->answers < asked && poll(&wait, 1, 1000) > 0)
		symbolizer_dispatch(run->s);
}

static uint64_t cpu_of(pid_t pid)
{
	struct timespec t = {0};
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return values[count / 2];
}

/* The same work in this process. */
static double alone_us(struct run *run, size_t size, unsigned samples)
{
	static struct unwind_output out;
	struct unwind_stack stack = {
		.start = run->capture->stacks[0].start, .bytes = run->bytes, .len = size};
	struct unwind_input in = run->capture->input;
	double us[ROUNDS];

	in.stacks = &stack;
	in.stack_count = 1;
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t begin = clock_cpu_ns();

		for (unsigned i = 0; i < samples; i++)
			unwind_stack(&in, &out);
		us[round] = (double)(clock_cpu_ns() - begin) / 1e3 / samples;
	}
	return median(us, ROUNDS);
}

static void measure(struct run *run, size_t size, unsigned batch)
{
	const struct unwind_stack *stack = &run->capture->stacks[0];
	const struct stack_copy copy = {.start = stack->start, .bytes = run->bytes, .len = size};
	unsigned samples = size > 65536 ? 512 : 2048;
	double here[ROUNDS], there[ROUNDS], late[ROUNDS];
	uint64_t asked = run->answers, frames = run->frames, complete = run->complete, refused = 0,
		 first = asked;

	memset(run->bytes, 0, size);
	memcpy(run->bytes, stack->bytes, stack->len < size ? stack->len : size);
	for (int round = -1; round < ROUNDS; round++) { /* the first makes the tables */
		pid_t child = symbolizer_stats(run->s)->unwind_pid;
		uint64_t cpu = clock_cpu_ns(), child_cpu = cpu_of(child), begin = clock_mono_ns();

		for (unsigned i = 0; i < samples; i++) {
			if (symbolizer_unwind(run->s, SPACE, &run->capture->input.regs, &copy, 0) < 0)
				refused++;
			else
				asked++;
			if (i % batch == batch - 1)
				finish_batch(run, asked);
		}
		finish_batch(run, asked);
		if (round < 0)
			continue;
		here[round] = (double)(clock_cpu_ns() - cpu) / 1e3 / samples;
		there[round] = (double)(cpu_of(child) - child_cpu) / 1e3 / samples;
		late[round] = (double)(clock_mono_ns() - begin) / 1e3 / (samples / batch);
	}
	double alone = alone_us(run, size, 1024), mine = median(here, ROUNDS),
	       its = median(there, ROUNDS);
	double answers = (double)(run->answers - first);
	printf("%6zu %6u %8.1f %9.1f %8.2f %8.2f %10.2f %10.2f %10.1f %8lu\n", size / 1024, batch,
	       (double)(run->frames - frames) / answers,
	       100.0 * (double)(run->complete - complete) / answers, mine, its, alone,
	       mine + its - alone, median(late, ROUNDS), refused);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = {4 << 10, 8 << 10, 64 << 10, 256 << 10};
	static const unsigned batches[] = {1, 4, 32};
	struct run run = {.bytes = xmalloc(256 << 10)};
	struct symbolizer_options options = {
		.handler = on_symbol, .unwound = on_unwound, .arg = &run, .table_cache = ""};
	pid_t pid = argc > 1 ? start(argv[1], argc > 2 ? argv[2] : "15") : -1;
	int r = pid < 0 ? failx(-1, "usage: %s WORKLOAD [DEPTH]", argv[0])
			: symbolizer_new(&options, &run.s);

	if (r >= 0)
		r = capture_new(pid, &run.capture);
	if (r >= 0)
		r = capture_take(run.capture, pid, 256 << 10);
	if (r >= 0)
		r = define_space(&run, pid);
	if (r < 0) {
		fprintf(stderr, "%s\n", fail_message());
		return 1;
	}
	printf("us of CPU a sample, medians of %d rounds; the rest: transport, clearing, answers\n",
	       ROUNDS);
	printf("%6s %6s %8s %9s %8s %8s %10s %10s %10s %8s\n", "KiB", "batch", "frames", "complete",
	       "capture", "child", "unwinding", "the rest", "us a batch", "refused");
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (size_t k = 0; k < ARRAY_SIZE(batches); k++)
			measure(&run, sizes[i], batches[k]);
	kill(pid, SIGKILL);
	symbolizer_free(run.s);
	capture_free(run.capture);
	free(run.bytes);
	return 0;
}
