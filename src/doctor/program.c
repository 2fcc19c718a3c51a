// SPDX-License-Identifier: BSD-2-Clause
/* Program types: loaded, attached to something that rarely happens, detached. */
#include "insn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "mem.h"

static int run_raw(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_close_ int prog = program_load(t, c->arg, NULL, 0);

	if (prog < 0)
		return prog;
	const struct program *p = c->arg;
	_cleanup_close_ int link = bpf_raw_tracepoint_open(p->target ? NULL : "task_rename", prog);

	return link < 0 ? -errno : 0;
}

/* Kernels may refuse this at load time, or only when the function is patched. */
static int run_trampoline(struct trial *t, const struct check *c, struct doctor_result *r)
{
	static const char *const targets[] = { "vfs_fsync_range", "do_unlinkat",
					       "bpf_fentry_test1" };
	struct program p = *(const struct program *)c->arg;
	int error = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		p.target = targets[i];
		_cleanup_close_ int prog = program_load(t, &p, NULL, 0);

		if (prog < 0) {
			if (error == -ENOENT)
				error = prog;
			continue;
		}
		_cleanup_close_ int link = bpf_raw_tracepoint_open(NULL, prog);

		if (link >= 0)
			return 0;
		error = -errno;
	}
	return error;
}

static int run_iterator(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_close_ int prog = program_load(t, c->arg, NULL, 0);

	if (prog < 0)
		return prog;
	int n = iterator_run(prog);

	return n < 0 ? n : 0;
}

/* Once loaded nothing can stand in its way. */
static int run_load(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_close_ int prog = program_load(t, c->arg, NULL, 0);

	return prog < 0 ? prog : 0;
}

static int run_syscall(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_close_ int prog = program_load(t, c->arg, NULL, 0);
	uint32_t value;

	return prog < 0 ? prog : program_run(prog, -1, &value);
}

static int tracepoint_id(const char *name, struct buf *remark, uint64_t *ret_id)
{
	static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	_cleanup_(buf_done) struct buf number = BUF_INIT;
	char path[256];

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/events/%s/id", roots[i], name);
		int r = read_u64_file(path, ret_id);

		if (r == 0 || r == -EACCES)
			return r;
	}
	_cleanup_close_ int root = trial_private_mount("tracefs");

	if (root < 0)
		return root;
	snprintf(path, sizeof(path), "events/%s/id", name);
	int error = read_file_at(root, path, 64, &number);

	*ret_id = strtoull(number.data, NULL, 10);
	if (error == 0)
		buf_addstr(remark, "once tracefs is mounted");
	return error;
}

static int run_tracepoint(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_close_ int prog = program_load(t, c->arg, NULL, 0);
	uint64_t id;

	if (prog < 0)
		return prog;
	int error = tracepoint_id("task/task_rename", &r->detail, &id);

	if (error == -ENOENT)
		buf_addstr(&r->detail, trial_hides_tracefs(t) ?
					       "the kernel's lockdown hides tracefs" :
					       "tracefs does not list it");
	if (error < 0)
		return error;
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .config = id };
	_cleanup_close_ int event = event_open(&attr, -1, 0);

	return event < 0 ? event : event_attach(event, prog);
}

/* Number of a perf event source that is no constant of the kernel's interface. */
static int source_type(const char *name, uint64_t *ret_type)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", name);
	return read_u64_file(path, ret_type);
}

static int run_kprobe(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_close_ int prog = program_load(t, c->arg, NULL, 0);
	uint64_t type;

	if (prog < 0)
		return prog;
	int error = source_type("kprobe", &type);

	if (error < 0)
		return error;
	struct perf_event_attr attr = {
		.type = (uint32_t)type,
		.kprobe_func = (uintptr_t) "vfs_fsync_range",
	};
	_cleanup_close_ int event = event_open(&attr, -1, 0);

	return event < 0 ? event : event_attach(event, prog);
}

static int run_kprobe_multi(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_close_ int prog = program_load(t, c->arg, NULL, 0);
	const char *symbols[] = { "vfs_fsync_range" };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .kprobe_multi.syms = symbols,
		    .kprobe_multi.cnt = 1);

	if (prog < 0)
		return prog;
	_cleanup_close_ int link = bpf_link_create(prog, 0, BPF_TRACE_KPROBE_MULTI, &opts);

	return link < 0 ? -errno : 0;
}

/* A function of perfscope's own that nothing calls. */
__attribute__((noinline, used)) static void uprobe_target(void)
{
	__asm__ volatile("" ::: "memory");
}

static int own_offset(uintptr_t address, uint64_t *ret_offset)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/maps", "re");
	unsigned long start, end, offset;
	char line[512];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 &&
		    address >= start && address < end) {
			*ret_offset = address - start + offset;
			return 0;
		}
	return -ENOENT;
}

static int run_uprobe(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_close_ int prog = program_load(t, c->arg, NULL, 0);
	uint64_t type, offset = 0;

	if (prog < 0)
		return prog;
	int error = source_type("uprobe", &type);

	if (error == 0)
		error = own_offset((uintptr_t)uprobe_target, &offset);
	if (error < 0)
		return error;
	struct perf_event_attr attr = {
		.type = (uint32_t)type,
		.uprobe_path = (uintptr_t) "/proc/self/exe",
		.probe_offset = offset,
	};
	_cleanup_close_ int event = event_open(&attr, 0, -1);

	return event < 0 ? event : event_attach(event, prog);
}

static int run_perf_event(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_close_ int prog = program_load(t, c->arg, NULL, 0);
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = 1,
	};

	if (prog < 0)
		return prog;
	_cleanup_close_ int event = event_open(&attr, -1, 0);

	return event < 0 ? event : event_attach(event, prog);
}

#define PROGRAM(...)            \
	&(const struct program) \
	{                       \
		__VA_ARGS__     \
	}

static const struct check rows[] = {
	{
		.name = "tracing (tp_btf)",
		.purpose = "reading scheduler, lock, block and network events with typed arguments",
		.cost = "nothing but CPU samples can be had: no waits, no wake-ups, no causes",
		.config = "DEBUG_INFO_BTF",
		.since = RELEASE(5, 5),
		.caps = BPF_CAPS,
		.required = true,
		.run = run_raw,
		.arg = PROGRAM(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, 0, "btf_trace_",
			       "task_rename", BTF_KIND_TYPEDEF),
	},
	{
		.name = "raw_tracepoint",
		.purpose = "the same events where types are missing; rare work on a chosen CPU",
		.cost = "on-demand work in the kernel is not possible",
		.config = "BPF_EVENTS",
		.since = RELEASE(4, 17),
		.caps = BPF_CAPS,
		.run = run_raw,
		.arg = PROGRAM(BPF_PROG_TYPE_RAW_TRACEPOINT),
	},
	{
		.name = "tracepoint",
		.purpose = "classic tracepoints, for events of modules without types",
		.cost = "events of such modules are not seen",
		.fallback = "raw tracepoints, which need no tracefs",
		.config = "BPF_EVENTS",
		.since = RELEASE(4, 7),
		.caps = BPF_CAPS | CAP(DAC_READ_SEARCH),
		.run = run_tracepoint,
		.arg = PROGRAM(BPF_PROG_TYPE_TRACEPOINT),
	},
	{
		.name = "perf_event",
		.purpose = "CPU samples",
		.cost = "no CPU profile",
		.config = "BPF_EVENTS",
		.since = RELEASE(4, 9),
		.caps = BPF_CAPS,
		.required = true,
		.run = run_perf_event,
		.arg = PROGRAM(BPF_PROG_TYPE_PERF_EVENT),
	},
	{
		.name = "iter/task",
		.purpose = "a walk over all threads when a recording starts and ends",
		.cost = "no state or stack of threads that never run during the recording",
		.fallback = "/proc, without stacks",
		.config = "BPF_SYSCALL",
		.since = RELEASE(5, 8),
		.caps = BPF_CAPS,
		.run = run_iterator,
		.arg = PROGRAM(BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, 0, "bpf_iter_", "task",
			       BTF_KIND_FUNC),
	},
	{
		.name = "iter.s/task",
		.purpose = "user stacks of threads while they wait",
		.cost = "waits longer than a tick may show only their kernel stack",
		.fallback = "stacks taken when the wait begins or ends",
		.config = "BPF_SYSCALL",
		.since = RELEASE(5, 18),
		.caps = BPF_CAPS,
		.run = run_iterator,
		.arg = PROGRAM(BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, BPF_F_SLEEPABLE, "bpf_iter_",
			       "task", BTF_KIND_FUNC),
	},
	{
		.name = "iter/bpf_sk_storage_map",
		.purpose = "requests that wait for their answer",
		.cost = "requests in connections that nobody has accepted are not met",
		.fallback = "a walk over the files of all processes",
		.config = "BPF_SYSCALL",
		.since = RELEASE(5, 9),
		.caps = BPF_CAPS,
		.run = run_load,
		.arg = PROGRAM(BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, 0, "bpf_iter_",
			       "bpf_sk_storage_map", BTF_KIND_FUNC),
	},
	{
		.name = "syscall",
		.purpose = "jobs in the kernel that perfscope starts itself",
		.cost = "nothing visible",
		.fallback = "a raw tracepoint program that is run by hand",
		.config = "BPF_SYSCALL",
		.since = RELEASE(5, 14),
		.caps = BPF_CAPS,
		.run = run_syscall,
		.arg = PROGRAM(BPF_PROG_TYPE_SYSCALL, 0, BPF_F_SLEEPABLE),
	},
	{
		.name = "fentry",
		.purpose = "kernel functions that have no tracepoint",
		.cost = "details inside such functions; service times before Linux 6.3",
		.fallback = "tracepoints (tp_btf)",
		.config = "FUNCTION_TRACER",
		.since = RELEASE(5, 5),
		.caps = BPF_CAPS,
		.run = run_trampoline,
		.arg = PROGRAM(BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, .kind = BTF_KIND_FUNC),
	},
	{
		.name = "fexit",
		.purpose = "results of kernel functions that have no tracepoint",
		.cost = "details inside such functions; service times before Linux 6.3",
		.fallback = "tracepoints (tp_btf)",
		.config = "FUNCTION_TRACER",
		.since = RELEASE(5, 5),
		.caps = BPF_CAPS,
		.run = run_trampoline,
		.arg = PROGRAM(BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, .kind = BTF_KIND_FUNC),
	},
	{
		.name = "kprobe",
		.purpose = "kernel functions on kernels without fentry",
		.cost = "details inside such functions; no finding depends on them",
		.fallback = "tracepoints (tp_btf)",
		.config = "KPROBES",
		.since = RELEASE(4, 17),
		.caps = BPF_CAPS,
		.run = run_kprobe,
		.arg = PROGRAM(BPF_PROG_TYPE_KPROBE),
	},
	{
		.name = "kprobe.multi",
		.purpose = "many kernel functions at once",
		.cost = "details inside such functions; no finding depends on them",
		.fallback = "tracepoints (tp_btf)",
		.config = "FPROBE",
		.since = RELEASE(5, 18),
		.caps = BPF_CAPS,
		.run = run_kprobe_multi,
		.arg = PROGRAM(BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI),
	},
	{
		.name = "uprobe",
		.purpose = "functions of programs: garbage collectors, allocators, USDT points",
		.cost = "pauses of runtimes and allocation stacks are guessed from outside or not "
			"seen",
		.config = "UPROBE_EVENTS",
		.since = RELEASE(4, 17),
		.caps = BPF_CAPS | CAP(SYS_ADMIN),
		.run = run_uprobe,
		.arg = PROGRAM(BPF_PROG_TYPE_KPROBE),
	},
};

CHECK_GROUP(program, rows);
