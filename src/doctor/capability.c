// SPDX-License-Identifier: BSD-2-Clause
#include "trial.h"

static int run(struct trial *t, const struct check *c, struct doctor_result *r)
{
	if (t->caps & c->caps)
		return 0;
	buf_addstr(&r->detail, "not held");
	if (c->caps == CAP(SYS_RESOURCE) && t->release >= RELEASE(5, 11)) {
		r->status = DOCTOR_INFO;
		buf_addstr(&r->detail, ", which does not matter since Linux 5.11");
		return 0;
	}
	r->status = c->fallback ? DOCTOR_FALLBACK : DOCTOR_MISSING;
	if (!c->fallback)
		buf_addf(&r->mend, "run as root, or grant it to the binary with setcap");
	return 0;
}

#define ROW(cap, what, fall, price)                                                    \
	{                                                                              \
		.name = "CAP_" #cap, .purpose = what, .cost = price, .fallback = fall, \
		.caps = CAP(cap), .run = run                                           \
	}

static const struct check rows[] = {
	ROW(BPF, "BPF programs and maps", NULL, "nothing can be recorded"),
	ROW(PERFMON, "tracing programs, kernel memory, perf events of all processes", NULL,
	    "nothing can be recorded"),
	ROW(SYS_ADMIN, "uprobes, BPF run-time statistics, and everything on kernels before 5.8",
	    "CAP_BPF and CAP_PERFMON",
	    "no uprobes, and perfscope cannot tell what its own BPF programs cost"),
	ROW(SYS_PTRACE, "memory maps and files of other users' processes", NULL,
	    "no names for functions of other users' processes"),
	ROW(DAC_READ_SEARCH, "tracefs, executables and debug files that only their owner may read",
	    NULL, "no classic tracepoints, and no names from such files"),
	ROW(SYSLOG, "kernel addresses in /proc/kallsyms when kptr_restrict is 1", NULL,
	    "kernel functions may have no names"),
	ROW(SYS_RESOURCE, "locked memory for maps before Linux 5.11",
	    "memory cgroup accounting since 5.11", "large maps may fail on kernels before 5.11"),
	ROW(NET_ADMIN, "sockets' details of other users through netlink", NULL,
	    "less detail about connections"),
	ROW(SYS_NICE, "keeping perfscope's own reader on time on an overloaded machine",
	    "ordinary priority", "more events may be lost when every CPU is busy"),
};

CHECK_GROUP(capability, rows);
