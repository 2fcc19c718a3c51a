// SPDX-License-Identifier: BSD-2-Clause
/* The unwinder against stacks of known shape and against libdw's opinion, without privileges. */
#include "check.h"

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

/* Runs the thread to its next stop by SIGTRAP, passing other signals on. False: it ended. */
static bool run_to_stop(pid_t *tid, pid_t pid, int request)
{
	int status, signal = 0;

	for (;;) {
		if (ptrace(request, *tid, NULL, (void *)(intptr_t)signal) < 0)
			return false;
		*tid = waitpid(-1, &status, __WALL);
		if (*tid < 0 || !WIFSTOPPED(status))
			return false;
		signal = WSTOPSIG(status);
		if (signal == SIGTRAP && !(status >> 16))
			return true;
		if (status >> 16 || (signal == SIGSTOP && *tid != pid))
			signal = 0; /* a thread was born: parent's and child's stop */
	}
}

/* The workload, stopped at its first breakpoint; ret_tid may be NULL. */
static pid_t start_thread(const char *variant, const char *mode, const char *depth, pid_t *ret_tid)
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
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE));
	if (!run_to_stop(&tid, pid, PTRACE_CONT))
		return -1;
	if (ret_tid)
		*ret_tid = tid;
	return pid;
}

static pid_t start(const char *variant, const char *mode, const char *depth)
{
	return start_thread(variant, mode, depth, NULL);
}

static void finish(pid_t pid)
{
	if (pid > 0)
		kill(pid, SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0) /* its threads, too: each is traced */
		;
}

static bool begins_with(const struct unwind_output *out, const uint64_t *ip, size_t count)
{
	return out->count >= count && !memcmp(out->ip, ip, count * sizeof(*ip));
}

static bool same_frames(const struct unwind_output *out, const uint64_t *ip, size_t count)
{
	return out->count == count && begins_with(out, ip, count);
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
	if (check_failed != failed) {
		fprintf(stderr, "  %s %s %s: %s\n", s->variant, s->mode, s->depth, fail_message());
		finish(pid);
		return;
	}
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

/* Whether the outermost frames are those of `tail`. */
static bool ends_with(const struct unwind_output *out, const uint64_t *tail, size_t count)
{
	return out->count >= count &&
	       !memcmp(out->ip + out->count - count, tail, count * sizeof(*tail));
}

/* The same stack copied from sp on: what an epilogue has popped is below, and still in registers. */
static bool complete_without_red_zone(const struct capture *c)
{
	static struct unwind_output out;
	struct unwind_stack above = c->stacks[0];
	struct unwind_input in = c->input;
	uint64_t below = in.regs.value[UNWIND_RSP] - above.start;

	above.start += below;
	above.bytes = (const char *)above.bytes + below;
	above.len -= below;
	in.stacks = &above;
	unwind_stack(&in, &out);
	return out.status == UNWIND_COMPLETE;
}

/* At every single instruction of a stretch through the C library, its PLT and the vDSO, the stack
 * is complete, and what libdw says. */
static void test_every_instruction(const char *variant)
{
	static struct unwind_output out;
	static uint64_t tail[UNWIND_FRAMES_MAX], ip[UNWIND_FRAMES_MAX];
	_cleanup_(capture_freep) struct capture *c = NULL;
	_cleanup_(oracle_freep) struct oracle *o = NULL;
	pid_t pid = start(variant, "stretch", "0"), tid = pid;
	unsigned steps = 0, broken = 0, unlike = 0, shorter = 0, vdso = 0, needs_red_zone = 0;
	size_t tail_count, count;
	uint64_t last;

	CHECK(pid > 0 && capture_new(pid, &c) == 0 && capture_take(c, pid, 65536) == 0);
	o = oracle_new(pid);
	CHECK(o != NULL);
	if (!c || !o)
		return;
	unwind_stack(&c->input, &out);
	CHECK(out.status == UNWIND_COMPLETE && out.count >= 4);
	tail_count = out.count - 1; /* callers of stretch() */
	memcpy(tail, out.ip + 1, tail_count * sizeof(*tail));
	do {
		last = out.ip[0];
		if (!run_to_stop(&tid, pid, PTRACE_SINGLESTEP) || capture_take(c, pid, 65536) < 0)
			break;
		unwind_stack(&c->input, &out);
		vdso += capture_is_vdso(c, out.ip[0]);
		needs_red_zone += !complete_without_red_zone(c);
		if (out.status != UNWIND_COMPLETE || !ends_with(&out, tail, tail_count)) {
			if (!broken++)
				fprintf(stderr, "  %s step %u at %lx in %s: %s, %u frames\n", variant, steps,
					out.ip[0], oracle_name(o, out.ip[0]),
					unwind_reason_text(out.reason), out.count);
		} else if (steps % 16 == 0) {
			count = oracle_frames(o, pid, ip, UNWIND_FRAMES_MAX);
			/* In PLT slots, which have no name, libdw gives up or leaves out the caller. */
			if (!begins_with(&out, ip, count) && oracle_name(o, out.ip[0]) && !unlike++)
				fprintf(stderr, "  %s step %u at %lx in %s: %u frames, libdw has %zu\n", variant, steps,
					out.ip[0], oracle_name(o, out.ip[0]), out.count, count);
			shorter += count < out.count;
		}
		steps++;
	} while (steps < 60000 && (out.count > tail_count + 1 || steps < 1000 || out.ip[0] != last + 1));
	CHECK(steps > 3000 && vdso > 10);
	CHECK(broken == 0);
	CHECK(needs_red_zone == 0);
	CHECK(unlike == 0);
	CHECK(shorter <= steps / 16 / 50);
	if (check_failed)
		fprintf(stderr, "  %s: %u of %u steps broken, %u unlike libdw\n", variant, broken, steps, unlike);
	finish(pid);
}

/* A thread other than the leader: its stack ends where clone() starts it. */
static void test_thread(void)
{
	static struct unwind_output out;
	static uint64_t ip[UNWIND_FRAMES_MAX];
	_cleanup_(capture_freep) struct capture *c = NULL;
	_cleanup_(oracle_freep) struct oracle *o = NULL;
	pid_t tid = 0, pid = start_thread("nofp", "thread", "0", &tid);

	CHECK(pid > 0 && tid > 0 && tid != pid);
	CHECK(capture_new(pid, &c) == 0 && capture_take(c, tid, WHOLE) == 0);
	o = oracle_new(pid);
	if (!c || !o)
		return;
	unwind_stack(&c->input, &out);
	CHECK(out.status == UNWIND_COMPLETE && recursion(&out) == 19);
	CHECK(same_frames(&out, ip, oracle_frames(o, tid, ip, UNWIND_FRAMES_MAX)));
	finish(pid);
}

static void test_unreadable(void)
{
	static struct unwind_output out;
	uint64_t word = 0;
	struct unwind_stack stack = {.start = 0x1000, .bytes = &word, .len = sizeof(word)};
	struct unwind_input in = {.arch = &unwind_arch_x86_64, .stacks = &stack, .stack_count = 1};

	unwind_stack(&in, &out);
	CHECK(out.status == UNWIND_UNREADABLE && out.count == 0);
	unwind_regs_set(&in.regs, UNWIND_RIP, 0x5000);
	unwind_regs_set(&in.regs, UNWIND_RSP, 0x2000); /* a stack pointer into nowhere */
	unwind_stack(&in, &out);
	CHECK(out.status == UNWIND_UNREADABLE && out.count == 0);
	unwind_regs_set(&in.regs, UNWIND_RSP, 0x1000);
	unwind_stack(&in, &out);
	CHECK(out.status == UNWIND_TRUNCATED && out.reason == UNWIND_REASON_NO_MAPPING);
	CHECK(out.count == 1 && out.ip[0] == 0x5000 && unwind_lookup_ip(&out, 0) == 0x5000);
	for (int r = 0; r < UNWIND_REASONS; r++)
		CHECK(*unwind_reason_text((enum unwind_reason)r));
}

/* Generated code: frame pointers are followed only where every frame keeps one. */
static void test_generated(void)
{
	static struct unwind_output out;
	enum { TOP = 64 };
	uint64_t word[TOP] = {0};
	struct unwind_stack stacks[] = {
		{.start = 0x10000, .bytes = word, .len = sizeof(word)},
		{.start = 0x7f0000000000, .bytes = word, .len = sizeof(word)}, /* the same, far away */
	};
	struct unwind_mapping code[] = {
		{.start = 0x400000, .end = 0x401000, .code = UNWIND_CODE_JIT},
		{.start = 0x500000, .end = 0x501000, .code = UNWIND_CODE_UNKNOWN},
	};
	struct unwind_input in = {.arch = &unwind_arch_x86_64, .stacks = stacks, .stack_count = 2,
				  .mappings = code, .mapping_count = 2};

	unwind_regs_set(&in.regs, UNWIND_RIP, 0x400100);
	unwind_regs_set(&in.regs, UNWIND_RSP, 0x10000);
	unwind_regs_set(&in.regs, UNWIND_RBP, 0x10020);
	word[4] = 0x10080, word[5] = 0x400200; /* a frame of generated code, called by such */
	word[16] = 0, word[17] = 0x500300;     /* called by the outermost function */
	unwind_stack(&in, &out);
	CHECK(out.status == UNWIND_COMPLETE && out.count == 3 && out.by_fp == 2);
	CHECK(out.ip[1] == 0x400200 && out.ip[2] == 0x500300);
	word[1] = 0x10020, word[2] = 0x400300; /* a frame that the chain would skip */
	unwind_stack(&in, &out);
	CHECK(out.status == UNWIND_TRUNCATED && out.reason == UNWIND_REASON_NO_FP && out.count == 1);
	word[0] = 0x10020, word[1] = 0x400300; /* behind the function's push: the caller is not lost */
	word[2] = 0;
	unwind_stack(&in, &out);
	CHECK(out.status == UNWIND_COMPLETE && out.ip[1] == 0x400300);
	word[0] = word[1] = 0;
	unwind_regs_set(&in.regs, UNWIND_RBP, 0); /* any value, in code without frame pointers */
	unwind_stack(&in, &out);
	CHECK(out.status == UNWIND_TRUNCATED && out.reason == UNWIND_REASON_NO_FP);
	unwind_regs_set(&in.regs, UNWIND_RBP, 0x10020);
	word[4] = 0x10020; /* a chain in a circle */
	unwind_stack(&in, &out);
	CHECK(out.status == UNWIND_TRUNCATED && out.count <= 3);
	unwind_regs_set(&in.regs, UNWIND_RBP, 0x7f0000000020); /* no frame is as large as that */
	unwind_stack(&in, &out);
	CHECK(out.status == UNWIND_TRUNCATED && out.reason == UNWIND_REASON_NO_FP);
}

/* Beyond a gap a frame pointer leads down again, and round and round. */
static void test_circle(void)
{
	static struct unwind_output out;
	uint64_t low[8] = {0}, high[8] = {0};
	struct unwind_stack stacks[] = {
		{.start = 0x10000, .bytes = low, .len = sizeof(low)},
		{.start = 0x12000, .bytes = high, .len = sizeof(high)},
	};
	struct unwind_mapping code = {.start = 0x400000, .end = 0x401000, .code = UNWIND_CODE_UNKNOWN};
	struct unwind_input in = {.arch = &unwind_arch_x86_64, .stacks = stacks, .stack_count = 2, .pieces = true,
				  .mappings = &code, .mapping_count = 1};

	unwind_regs_set(&in.regs, UNWIND_RIP, 0x400100);
	unwind_regs_set(&in.regs, UNWIND_RSP, 0x10000);
	unwind_regs_set(&in.regs, UNWIND_RBP, 0x10020);
	low[4] = 0x12030, low[5] = 0x400200;
	high[6] = 0x10020, high[7] = 0x400300; /* sp is at the end of the bytes then */
	unwind_stack(&in, &out);
	CHECK(out.status == UNWIND_TRUNCATED && out.reason != UNWIND_REASON_DEPTH && out.count == 3);
}

int main(void)
{
	test_unreadable();
	test_generated();
	test_circle();
	test_shapes();
	test_thread();
	test_every_instruction("nofp");
	test_every_instruction("fp");
	test_every_instruction("static");
	return check_done("unwind");
}
