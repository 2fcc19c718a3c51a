// SPDX-License-Identifier: BSD-2-Clause
/* Perf events: opened, and where samples matter, waited for. */
#include "insn.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"

static bool is_without_counters(int error)
{
	return error == -ENOENT || error == -EOPNOTSUPP || error == -ENODEV;
}

static const char without_counters[] = "no hardware counters here (usual in virtual machines)";

static int run_cycles(struct trial *t, const struct check *c, struct doctor_result *r)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.freq = 1,
		.sample_freq = 99,
		.disabled = 1,
	};
	_cleanup_close_ int event = event_open(&attr, -1, 0);

	if (is_without_counters(event))
		buf_addstr(&r->detail, without_counters);
	return event < 0 ? event : 0;
}

static int run_counters(struct trial *t, const struct check *c, struct doctor_result *r)
{
	static const struct {
		const char *name;
		uint64_t config;
	} events[] = {
		{"instructions", PERF_COUNT_HW_INSTRUCTIONS},
		{"cache misses", PERF_COUNT_HW_CACHE_MISSES},
		{"branch misses", PERF_COUNT_HW_BRANCH_MISSES},
		{"stalled cycles", PERF_COUNT_HW_STALLED_CYCLES_BACKEND},
	};
	int error = -ENOENT;
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE, .config = events[i].config, .disabled = 1};
		_cleanup_close_ int event = event_open(&attr, -1, 0);

		any |= event >= 0;
		if (event < 0) {
			buf_addf(&r->detail, "%s%s", r->detail.len ? ", " : "not counted: ", events[i].name);
			error = event;
		}
	}
	if (any)
		return 0;
	buf_reset(&r->detail);
	if (is_without_counters(error))
		buf_addstr(&r->detail, without_counters);
	return error;
}

static int run_clock(struct trial *t, const struct check *c, struct doctor_result *r)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.disabled = 1,
	};
	_cleanup_close_ int event = event_open(&attr, -1, 0);

	return event < 0 ? event : ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0 ? -errno : 0;
}

static void burn(uint64_t ns)
{
	uint64_t end = clock_cpu_ns() + ns;

	while (clock_cpu_ns() < end)
		;
}

/* The whole way of a CPU sample: clock, program, user stack, map. Follows this thread alone. */
static int run_sample(struct trial *t, const struct check *c, struct doctor_result *r)
{
	static const struct program p = { .type = BPF_PROG_TYPE_PERF_EVENT };
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = NS_PER_MS,
		.disabled = 1,
	};
	_cleanup_close_ int map = one_slot_array();

	if (map < 0)
		return map;
	const struct bpf_insn insns[] = {
		MOV_REG(BPF_REG_2, BPF_REG_10),
		ADD_IMM(BPF_REG_2, -64),
		MOV_IMM(BPF_REG_3, 64),
		MOV_IMM(BPF_REG_4, BPF_F_USER_STACK),
		CALL(get_stack),
		MAP_VALUE(BPF_REG_1, map),
		STORE(BPF_DW, BPF_REG_1, BPF_REG_0, 0),
		MOV_IMM(BPF_REG_0, 0),
		EXIT(),
	};
	_cleanup_close_ int prog = program_load(t, &p, insns, ARRAY_SIZE(insns));
	uint64_t bytes = 0;

	if (prog < 0)
		return prog;
	_cleanup_close_ int event = event_open(&attr, 0, -1);

	if (event < 0)
		return event;
	int error = event_attach(event, prog);

	for (int i = 0; error == 0 && bytes == 0 && i < 40; i++) {
		burn(2 * NS_PER_MS);
		error = one_slot_read(map, &bytes);
	}
	if (error == 0 && bytes == 0)
		buf_addstr(&r->detail, "no sample arrived in 80 ms of work");
	return error ? error : (int64_t)bytes < 0 ? (int)(int64_t)bytes : bytes ? 0 : -EIO;
}

static int map_event(struct perf_event_attr *attr)
{
	size_t length = 3 * (size_t)sysconf(_SC_PAGESIZE);
	_cleanup_close_ int event = event_open(attr, -1, 0);

	if (event < 0)
		return event;
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, event, 0);

	if (memory == MAP_FAILED)
		return -errno;
	munmap(memory, length);
	return 0;
}

static int run_side_band(struct trial *t, const struct check *c, struct doctor_result *r)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.disabled = 1,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
	};

	return map_event(&attr);
}

static int run_build_id(struct trial *t, const struct check *c, struct doctor_result *r)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.disabled = 1,
		.mmap = 1,
		.mmap2 = 1,
		.build_id = 1,
	};

	return map_event(&attr);
}

static const struct check rows[] = {
	{
		.name = "cycles",
		.purpose =
			"CPU samples from the hardware, also of code that runs with interrupts off",
		.cost = "kernel time spent with interrupts off shows where they come on again",
		.fallback = "cpu-clock, a timer on each CPU",
		.config = "PERF_EVENTS",
		.caps = CAP(PERFMON),
		.run = run_cycles,
	},
	{
		.name = "hardware counters",
		.purpose = "record --pmu: instructions, misses of caches and branches by process and function",
		.cost = "instructions a cycle and what waits for memory are not known; no finding depends on them",
		.config = "PERF_EVENTS",
		.caps = CAP(PERFMON),
		.run = run_counters,
	},
	{
		.name = "cpu-clock",
		.purpose = "CPU samples where there are no hardware counters",
		.cost = "no CPU profile where cycles are missing, too",
		.config = "PERF_EVENTS",
		.caps = CAP(PERFMON),
		.required = true,
		.run = run_clock,
	},
	{
		.name = "sample with stack",
		.purpose = "the whole way of a CPU sample: clock, BPF program, bpf_get_stack, map",
		.cost = "no CPU profile",
		.config = "PERF_EVENTS",
		.since = RELEASE(4, 18),
		.caps = BPF_CAPS,
		.required = true,
		.run = run_sample,
	},
	{
		.name = "side band",
		.purpose = "names and memory maps of processes, short-lived ones too (dummy event "
			   "with mmap2, comm, task)",
		.cost = "processes that start and end between two looks at /proc have no names",
		.fallback = "/proc",
		.config = "PERF_EVENTS",
		.since = RELEASE(3, 16),
		.caps = CAP(PERFMON),
		.run = run_side_band,
	},
	{
		.name = "build-id in side band",
		.purpose = "which version of a file was mapped, even when it is replaced",
		.cost = "files that are replaced during the recording may be confused",
		.fallback = "build-id read from the file",
		.config = "PERF_EVENTS",
		.since = RELEASE(5, 12),
		.caps = CAP(PERFMON),
		.run = run_build_id,
	},
};

CHECK_GROUP(event, rows);
