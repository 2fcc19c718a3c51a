// SPDX-License-Identifier: BSD-2-Clause
/* Switches of the running system. */
#include "trial.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io.h"

static int run_lockdown(struct trial *t, const struct check *c, struct doctor_result *r)
{
	if (!t->lockdown) {
		r->status = DOCTOR_UNTRIED;
		buf_addstr(&r->detail, "/sys/kernel/security/lockdown cannot be read, and telling "
				       "it from behaviour needs root");
		buf_addstr(&r->mend, "run `sudo perfscope doctor`");
		return 0;
	}
	buf_addstr(&r->detail, t->lockdown);
	if (t->lockdown_inferred)
		buf_addstr(&r->detail, ", told from whether a BPF helper is refused");
	if (!strcmp(t->lockdown, "confidentiality"))
		r->status = DOCTOR_MISSING;
	else if (!strcmp(t->lockdown, "integrity"))
		buf_addstr(&r->detail, "; perfscope does not need what this forbids");
	return 0;
}

static int run_paranoid(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int error = trial_line("/proc/sys/kernel/perf_event_paranoid", &b);

	if (error < 0)
		return error;
	buf_addstr(&r->detail, b.data);
	if (trial_too_paranoid(t)) {
		r->status = DOCTOR_MISSING;
		buf_addstr(&r->detail, ": on Debian's kernels that asks for CAP_SYS_ADMIN");
		buf_addstr(&r->mend, "sysctl kernel.perf_event_paranoid=2, or run as root");
	} else if (t->caps & CAP(PERFMON)) {
		buf_addstr(&r->detail, ", which does not matter with CAP_PERFMON");
	} else if (atoi(b.data) > -1) {
		r->status = DOCTOR_MISSING;
		buf_addstr(&r->detail,
			   ": this user may not watch other users' processes or the kernel");
		buf_addstr(&r->mend, "run `sudo perfscope doctor`");
	}
	return 0;
}

static int run_max_stack(struct trial *t, const struct check *c, struct doctor_result *r)
{
	uint64_t depth;
	int error = read_u64_file("/proc/sys/kernel/perf_event_max_stack", &depth);

	if (error < 0)
		return error;
	buf_addf(&r->detail, "%" PRIu64 " frames", depth);
	if (depth < 127) {
		r->status = DOCTOR_FALLBACK;
		buf_addstr(&r->mend, "sysctl kernel.perf_event_max_stack=127");
	}
	return 0;
}

/* Addresses are zeros for those who may not see them. */
static int run_kallsyms(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/kallsyms", "re");
	_cleanup_(buf_done) struct buf restrict_level = BUF_INIT;
	unsigned long long address, any = 0;
	char line[512];

	if (!f)
		return -errno;
	for (int i = 0; i < 64 && !any && fgets(line, sizeof(line), f); i++)
		if (sscanf(line, "%llx", &address) == 1)
			any |= address;
	trial_line("/proc/sys/kernel/kptr_restrict", &restrict_level);
	buf_addf(&r->detail, "kptr_restrict %s, addresses %s", restrict_level.data,
		 any ? "are shown" : "are hidden");
	if (any)
		return 0;
	r->status = DOCTOR_MISSING;
	buf_addstr(&r->mend, atoi(restrict_level.data) == 2 ? "sysctl kernel.kptr_restrict=1"
							    : "run as root, or grant CAP_SYSLOG");
	return 0;
}

static int run_unprivileged(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int error = trial_line("/proc/sys/kernel/unprivileged_bpf_disabled", &b);

	if (error < 0)
		return error;
	r->status = DOCTOR_INFO;
	buf_addf(&r->detail, "%s; perfscope's programs want CAP_BPF and CAP_PERFMON anyway",
		 b.data);
	return 0;
}

static int run_stats(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	_cleanup_close_ int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);

	if (fd < 0)
		return -errno;
	trial_line("/proc/sys/kernel/bpf_stats_enabled", &b);
	buf_addf(&r->detail, "can be switched on while perfscope runs%s",
		 atoi(b.data) ? " (on all the time here)" : "");
	return 0;
}

static int run_memlock(struct trial *t, const struct check *c, struct doctor_result *r)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return -errno;
	if (limit.rlim_cur == RLIM_INFINITY)
		buf_addstr(&r->detail, "unlimited");
	else
		buf_addf(&r->detail, "%" PRIu64 " KiB", (uint64_t)limit.rlim_cur >> 10);
	if (t->release >= RELEASE(5, 11)) {
		buf_addstr(&r->detail, ", which does not matter: BPF memory counts for the memory "
				       "cgroup since 5.11");
	} else if (limit.rlim_cur < (32u << 20) && !(t->caps & CAP(SYS_RESOURCE))) {
		r->status = DOCTOR_FALLBACK;
		buf_addstr(&r->mend, "ulimit -l 65536");
	}
	return 0;
}

static int run_tracefs(struct trial *t, const struct check *c, struct doctor_result *r)
{
	static const char *const roots[] = { "/sys/kernel/tracing/events",
					     "/sys/kernel/debug/tracing/events" };
	int error = 0;

	for (size_t i = 0; i < 2; i++) {
		if (access(roots[i], R_OK | X_OK) == 0) {
			buf_addf(&r->detail, "%.*s", (int)(strlen(roots[i]) - strlen("/events")),
				 roots[i]);
			return 0;
		}
		if (!error || errno == EACCES)
			error = -errno;
	}
	if (error == -ENOENT && trial_hides_tracefs(t)) {
		buf_addstr(&r->detail, "hidden by the kernel's lockdown");
	} else if (error == -ENOENT && trial_config(t, c->config) != 'n') {
		buf_addstr(&r->detail, "not mounted");
		buf_addstr(&r->mend, "mount -t tracefs tracefs /sys/kernel/tracing");
	}
	return error;
}

static int run_psi(struct trial *t, const struct check *c, struct doctor_result *r)
{
	static const char *const kinds[] = { "cpu", "memory", "io" };
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char path[64];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/proc/pressure/%s", kinds[i]);
		buf_reset(&b);
		int error = trial_line(path, &b);

		if (error == -EOPNOTSUPP) {
			buf_addstr(&r->detail, "built in, but switched off at boot");
			buf_addstr(&r->mend, "boot with psi=1");
		}
		if (error < 0)
			return error;
	}
	buf_addstr(&r->detail, "cpu, memory and io can be read");
	return 0;
}

static int run_schedstats(struct trial *t, const struct check *c, struct doctor_result *r)
{
	uint64_t on;

	r->status = DOCTOR_INFO;
	if (read_u64_file("/proc/sys/kernel/sched_schedstats", &on) < 0)
		buf_addstr(&r->detail, "not in this kernel; perfscope counts for itself");
	else
		buf_addf(&r->detail, "%s; perfscope counts for itself", on ? "on" : "off");
	return 0;
}

static const struct check rows[] = {
	{ .name = "lockdown",
	  .purpose = "which parts of the kernel even root may not touch",
	  .cost = "BPF programs may not call bpf_probe_read_kernel: probes that need it stay off",
	  .run = run_lockdown },
	{ .name = "perf_event_paranoid",
	  .purpose = "CPU samples without privileges",
	  .cost = "no CPU profile",
	  .run = run_paranoid },
	{ .name = "perf_event_max_stack",
	  .purpose = "depth of stacks",
	  .fallback = "shorter stacks",
	  .cost = "deep stacks lose their root",
	  .run = run_max_stack },
	{ .name = "kallsyms",
	  .purpose = "names of kernel functions",
	  .cost = "kernel functions show as [kernel+0xoffset]",
	  .config = "KALLSYMS",
	  .run = run_kallsyms },
	{ .name = "unprivileged_bpf_disabled",
	  .purpose = "BPF without privileges",
	  .run = run_unprivileged },
	{ .name = "bpf_stats_enabled",
	  .purpose = "perfscope's own cost inside the kernel",
	  .since = RELEASE(5, 8),
	  .caps = CAP(SYS_ADMIN),
	  .cost = "overhead.cpu_percent leaves out perfscope's BPF programs",
	  .run = run_stats },
	{ .name = "RLIMIT_MEMLOCK",
	  .purpose = "memory of maps",
	  .fallback = "smaller maps",
	  .cost = "fewer different stacks fit; losses are counted",
	  .run = run_memlock },
	{ .name = "tracefs",
	  .purpose = "numbers of classic tracepoints",
	  .fallback = "raw tracepoints, which need no tracefs",
	  .cost = "events of modules without types are not seen",
	  .config = "FTRACE",
	  .caps = CAP(DAC_READ_SEARCH),
	  .run = run_tracefs },
	{ .name = "PSI",
	  .purpose = "stall shares of CPU, memory and I/O",
	  .fallback = "perfscope's own wait times",
	  .cost = "less evidence in cpu.saturation, memory.pressure and disk findings",
	  .config = "PSI",
	  .since = RELEASE(4, 20),
	  .run = run_psi },
	{ .name = "schedstats",
	  .purpose = "the kernel's own wait sums, to compare",
	  .run = run_schedstats },
};

CHECK_GROUP(setting, rows);
