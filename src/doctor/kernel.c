// SPDX-License-Identifier: BSD-2-Clause
/* The kernel and the machine below it. */
#include "trial.h"

#include <errno.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "io.h"
#include "mem.h"
#include "namespace.h"

static int run_release(struct trial *t, const struct check *c, struct doctor_result *r)
{
	buf_addf(&r->detail, "Linux %s, %s", t->uts->release, t->uts->machine);
	if (t->release < c->since) {
		r->status = DOCTOR_MISSING;
		buf_addf(&r->detail, ": older than %u.%u", c->since / 1000, c->since % 1000);
		buf_addf(&r->mend, "use Linux %u.%u or newer", c->since / 1000, c->since % 1000);
	}
	return 0;
}

static int run_btf(struct trial *t, const struct check *c, struct doctor_result *r)
{
	struct stat st;

	if (!t->btf)
		return t->btf_error;
	buf_addf(&r->detail, "%u types", btf__type_cnt(t->btf));
	if (stat("/sys/kernel/btf/vmlinux", &st) == 0)
		buf_addf(&r->detail, ", /sys/kernel/btf/vmlinux, %.1f MiB",
			 (double)st.st_size / (1 << 20));
	return 0;
}

static void list_options(const struct trial *t, struct buf *b, bool set)
{
	static const char *const options[] = {
		"BPF_SYSCALL", "BPF_JIT", "DEBUG_INFO_BTF", "PERF_EVENTS", "BPF_EVENTS",
		"FUNCTION_TRACER", "KPROBES", "FPROBE", "UPROBE_EVENTS", "PSI",
		"SCHEDSTATS", "MODULES", "PREEMPT_NONE",
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if ((trial_config(t, options[i]) != 'n') == set)
			buf_addf(b, " %s", options[i]);
}

static int run_config(struct trial *t, const struct check *c, struct doctor_result *r)
{
	r->status = DOCTOR_INFO;
	if (!t->config.len) {
		buf_addstr(&r->detail,
			   "not known: neither /proc/config.gz nor /boot/config-* can be read");
		return 0;
	}
	buf_addstr(&r->detail, "set:");
	list_options(t, &r->detail, true);
	buf_addstr(&r->detail, "; not set:");
	list_options(t, &r->detail, false);
	return 0;
}

static int run_clocksource(struct trial *t, const struct check *c, struct doctor_result *r)
{
	int error = trial_line("/sys/devices/system/clocksource/clocksource0/current_clocksource",
			       &r->detail);

	if (error < 0)
		return error;
	if (!strcmp(r->detail.data, "acpi_pm") || !strcmp(r->detail.data, "hpet") ||
	    !strcmp(r->detail.data, "jiffies")) {
		r->status = DOCTOR_FALLBACK;
		buf_addstr(&r->detail, ": slow to read");
	}
	return 0;
}

static int run_cpus(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_(buf_done) struct buf online = BUF_INIT, possible = BUF_INIT;

	trial_line("/sys/devices/system/cpu/online", &online);
	trial_line("/sys/devices/system/cpu/possible", &possible);
	r->status = DOCTOR_INFO;
	buf_addf(&r->detail, "%d online (%s), %d configured (possible: %s)", get_nprocs(),
		 online.data, get_nprocs_conf(), possible.data);
	return 0;
}

static bool cpu_says_hypervisor(void)
{
#if defined(__x86_64__)
	unsigned a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 31));
#else
	return false;
#endif
}

static int run_virtual(struct trial *t, const struct check *c, struct doctor_result *r)
{
	static const char *const hints[] = { "/sys/hypervisor/type", "/sys/class/dmi/id/sys_vendor",
					     "/sys/class/dmi/id/product_name" };
	bool guest = cpu_says_hypervisor();

	r->status = DOCTOR_INFO;
	buf_addstr(&r->detail, guest ? "a virtual machine" : "no hypervisor announced");
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		_cleanup_(buf_done) struct buf hint = BUF_INIT;

		if (trial_line(hints[i], &hint) == 0 && hint.len)
			buf_addf(&r->detail, ", %s", hint.data);
	}
	if (guest)
		buf_addstr(&r->detail, "; time that the host takes away shows as steal");
	return 0;
}

static int run_pid_namespace(struct trial *t, const struct check *c, struct doctor_result *r)
{
	int first = is_first_pid_namespace();

	if (first < 0)
		return first;
	if (first) {
		buf_addstr(&r->detail, "the machine's own");
	} else {
		r->status = DOCTOR_FALLBACK;
		buf_addstr(&r->detail, "that of a container");
		buf_addstr(&r->mend, "run on the host, or in a container with --pid=host");
	}
	return 0;
}

static const struct check rows[] = {
	{ .name = "release",
	  .purpose = "everything",
	  .cost = "nothing can be recorded",
	  .since = RELEASE(5, 8),
	  .required = true,
	  .run = run_release },
	{ .name = "BTF",
	  .purpose = "programs that fit themselves to this kernel's structures",
	  .cost = "nothing can be recorded",
	  .config = "DEBUG_INFO_BTF",
	  .since = RELEASE(5, 4),
	  .required = true,
	  .run = run_btf },
	{ .name = "configuration", .purpose = "reasons in this report", .run = run_config },
	{ .name = "CPUs", .purpose = "one sampling clock each", .run = run_cpus },
	{ .name = "clock",
	  .purpose = "time stamps",
	  .cost = "each time stamp takes a microsecond or more; perfscope costs more",
	  .fallback = "this clock",
	  .run = run_clocksource },
	{ .name = "virtualisation",
	  .purpose = "steal time, hardware counters",
	  .run = run_virtual },
	{ .name = "PID namespace",
	  .purpose = "seeing all processes",
	  .fallback = "the processes of this container",
	  .cost = "processes outside have no names, and BPF's process numbers differ from those in "
		  "/proc",
	  .run = run_pid_namespace },
};

CHECK_GROUP(kernel, rows);
