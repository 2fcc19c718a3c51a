// SPDX-License-Identifier: BSD-2-Clause
#include "doctor.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trial.h"
#include "clock.h"
#include "io.h"
#include "mem.h"

static const struct check_group *const groups[] = {
	&checks_kernel, &checks_setting, &checks_capability, &checks_program, &checks_map,
	&checks_helper, &checks_event, &checks_hook, &checks_cgroup, &checks_symbol,
};

const struct doctor_group doctor_groups[] = {
	{ "kernel", "Kernel and machine" },
	{ "setting", "Settings" },
	{ "capability", "Capabilities" },
	{ "program", "BPF program types" },
	{ "map", "BPF maps" },
	{ "helper", "BPF helpers" },
	{ "event", "Perf events" },
	{ "hook", "Hooks" },
	{ "cgroup", "Control groups" },
	{ "symbol", "Stacks and names of programs" },
	{ NULL, NULL },
};

const char *doctor_status_name(enum doctor_status status)
{
	static const char *const names[] = { "works", "fallback", "missing", "untried", "info" };

	return names[status];
}

static void name_caps(struct buf *b, uint64_t caps)
{
	const char *separator = "";

	for (size_t i = 0; i < checks_capability.count; i++) {
		const struct check *c = &checks_capability.checks[i];

		if (c->caps & caps) {
			buf_addf(b, "%s%s", separator, c->name);
			separator = ", ";
		}
	}
}

static void explain_untried(const struct trial *t, const struct check *c, struct doctor_result *r)
{
	buf_reset(&r->detail);
	buf_addstr(&r->detail, "could not be tried without ");
	name_caps(&r->detail, c->caps & ~t->caps);
	buf_addstr(&r->mend, t->user_namespace ?
				     "run as root outside of this container or user namespace" :
				     "run `sudo perfscope doctor`");
	r->status = DOCTOR_UNTRIED;
}

static void explain_refusal(const struct trial *t, const struct check *c, struct doctor_result *r)
{
	if (r->error == EACCES && (c->caps & CAP(PERFMON)) && trial_too_paranoid(t)) {
		buf_addstr(&r->detail, "refused because of perf_event_paranoid");
		buf_addstr(&r->mend, "sysctl kernel.perf_event_paranoid=2, or run as root");
		return;
	}
	buf_addstr(&r->detail, "refused although every capability that this needs is held");
	/* In mainline, integrity forbids nothing that is tried here. */
	if (t->lockdown && !strcmp(t->lockdown, "confidentiality"))
		buf_addstr(&r->detail, "; the kernel is locked down (confidentiality)");
	else if (t->lockdown && !strcmp(t->lockdown, "integrity"))
		buf_addstr(&r->detail,
			   "; the kernel is locked down (integrity) and adds restrictions of its own");
	if (t->filtered)
		buf_addstr(&r->detail, "; a seccomp filter may forbid it, as containers have");
}

static bool is_absence(int error)
{
	return error == EOPNOTSUPP || error == ENOENT || error == ENODEV || error == ENOSYS;
}

/* The most certain reason first; a reason that the check itself found stays in front. */
static void explain_failure(const struct trial *t, const struct check *c, struct doctor_result *r)
{
	if (r->detail.len)
		return;
	if (c->config && trial_config(t, c->config) == 'n') {
		buf_addf(&r->detail, "the kernel was built without CONFIG_%s", c->config);
		buf_addf(&r->mend, "use a kernel with CONFIG_%s", c->config);
	} else if (t->release < c->since) {
		buf_addf(&r->detail, "needs Linux %u.%u, this is %s", c->since / 1000,
			 c->since % 1000, t->uts->release);
		buf_addf(&r->mend, "use Linux %u.%u or newer", c->since / 1000, c->since % 1000);
	} else if (r->error == EPERM || r->error == EACCES) {
		explain_refusal(t, c, r);
	} else {
		buf_addstr(&r->detail, t->log[0] ? t->log : strerror(r->error));
		if (c->config && !trial_config(t, c->config) && is_absence(r->error))
			buf_addf(&r->detail, ": most likely the kernel was built without CONFIG_%s",
				 c->config);
	}
}

static void run_check(struct trial *t, const char *group, const struct check *c,
		      struct doctor_result *r)
{
	*r = (struct doctor_result){
		.group = group,
		.name = c->name,
		.purpose = c->purpose,
		.fallback = c->fallback,
		.cost = c->cost,
		.required = c->required,
		.detail = BUF_INIT,
		.mend = BUF_INIT,
	};
	t->log[0] = '\0';
	int error = c->run(t, c, r);

	if (error >= 0)
		return;
	r->error = -error;
	r->status = c->fallback ? DOCTOR_FALLBACK : DOCTOR_MISSING;
	if ((error == -EPERM || error == -EACCES) && (c->caps & ~t->caps)) {
		explain_untried(t, c, r);
		return;
	}
	explain_failure(t, c, r);
	const char *name = strerrorname_np(r->error);

	if (name)
		buf_addf(&r->detail, " (%s)", name);
}

bool doctor_blocks(const struct doctor_result *r)
{
	return r->required && (r->status == DOCTOR_MISSING || r->status == DOCTOR_UNTRIED);
}

const struct doctor_result *doctor_blocker(const struct doctor_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		if (doctor_blocks(&report->results[i]))
			return &report->results[i];
	return NULL;
}

static void sum_up(struct doctor_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		report->counts[report->results[i].status]++;
	report->can_record = !doctor_blocker(report);
}

struct doctor_report *doctor_run(void)
{
	struct doctor_report *report = xcalloc(1, sizeof(*report));
	libbpf_print_fn_t printer = libbpf_set_print(NULL);
	uint64_t start = clock_mono_ns();
	struct trial t;
	size_t total = 0;

	uname(&report->uts);
	report->uid = geteuid();
	report->wall_ns = clock_wall_ns();
	trial_prepare(&t, &report->uts);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		total += groups[i]->count;
	report->results = xcalloc(total, sizeof(*report->results));
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		for (size_t k = 0; k < groups[i]->count; k++)
			run_check(&t, groups[i]->name, &groups[i]->checks[k],
				  &report->results[report->count++]);
	trial_done(&t);
	sum_up(report);
	report->took_ns = clock_mono_ns() - start;
	libbpf_set_print(printer);
	return report;
}

void doctor_report_free(struct doctor_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->count; i++) {
		buf_done(&report->results[i].detail);
		buf_done(&report->results[i].mend);
	}
	free(report->results);
	free(report);
}
