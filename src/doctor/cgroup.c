// SPDX-License-Identifier: BSD-2-Clause
#include "trial.h"

#include <stdio.h>
#include <string.h>

#include "io.h"

struct hierarchies {
	struct buf v1;      /* controllers of version 1, comma-separated */
	struct buf unified; /* where version 2 is mounted, empty: nowhere */
};

/* /proc/self/mounts: device, place, type, options. */
static int find_hierarchies(struct hierarchies *h)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mounts", "re");
	char line[4096], place[1024], type[64], options[1024];

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %1023s %63s %1023s", place, type, options) != 3)
			continue;
		if (!strcmp(type, "cgroup2") && !h->unified.len)
			buf_addstr(&h->unified, place);
		if (strcmp(type, "cgroup"))
			continue;
		const char *controller = strrchr(place, '/');

		buf_addf(&h->v1, "%s%s", h->v1.len ? ", " : "",
			 controller ? controller + 1 : place);
	}
	return 0;
}

static void hierarchies_done(struct hierarchies *h)
{
	buf_done(&h->v1);
	buf_done(&h->unified);
}

static int run_version(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_(hierarchies_done) struct hierarchies h = { .v1 = BUF_INIT, .unified = BUF_INIT };

	if (find_hierarchies(&h) < 0 || (!h.v1.len && !h.unified.len)) {
		r->status = DOCTOR_MISSING;
		buf_addstr(&r->detail, "no cgroup file system is mounted");
		return 0;
	}
	r->status = h.v1.len ? DOCTOR_FALLBACK : DOCTOR_WORKS;
	if (h.v1.len && h.unified.len)
		buf_addf(&r->detail, "mixed: version 2 at %s, version 1 with %s", h.unified.data,
			 h.v1.data);
	else if (h.v1.len)
		buf_addf(&r->detail, "version 1 with %s", h.v1.data);
	else
		buf_addf(&r->detail, "version 2 at %s", h.unified.data);
	return 0;
}

/* Whether `word` is one of those in `list`, which spaces or commas separate. */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; *p; p += strcspn(p, ", ")) {
		p += strspn(p, ", ");
		if (strcspn(p, ", ") == n && !memcmp(p, word, n))
			return true;
	}
	return false;
}

static int run_controller(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_(hierarchies_done) struct hierarchies h = { .v1 = BUF_INIT, .unified = BUF_INIT };
	_cleanup_(buf_done) struct buf controllers = BUF_INIT;
	const char *const *names = c->arg; /* of version 2 and of version 1 */
	char path[1200];

	find_hierarchies(&h);
	snprintf(path, sizeof(path), "%s/cgroup.controllers", h.unified.data);
	trial_line(path, &controllers);
	if (has_word(controllers.data, names[0])) {
		buf_addstr(&r->detail, "version 2");
	} else if (has_word(h.v1.data, names[1])) {
		buf_addstr(&r->detail, "version 1");
	} else {
		r->status = DOCTOR_MISSING;
		buf_addstr(&r->detail,
			   "the controller is neither in version 2 nor mounted as version 1");
	}
	return 0;
}

#define NAMES(v2, v1)          \
	&(const char *const[]) \
	{                      \
		v2, v1         \
	}

static const struct check rows[] = {
	{ .name = "cgroup version",
	  .purpose = "--cgroup, and the names of groups in findings",
	  .fallback = "the version 1 hierarchies and /proc/PID/cgroup",
	  .cost = "filters inside the kernel see version 2 groups only; version 1 groups are told "
		  "apart in user space",
	  .run = run_version },
	{ .name = "cpu controller",
	  .purpose = "cpu.throttled",
	  .cost = "CPU quotas and throttled time are not known",
	  .run = run_controller,
	  .arg = NAMES("cpu", "cpu") },
	{ .name = "memory controller",
	  .purpose = "memory.pressure and memory.oom by group",
	  .cost = "memory limits and usage of groups are not known",
	  .run = run_controller,
	  .arg = NAMES("memory", "memory") },
	{ .name = "io controller",
	  .purpose = "disk shares by group",
	  .cost = "I/O of groups is known from samples only",
	  .run = run_controller,
	  .arg = NAMES("io", "blkio") },
};

CHECK_GROUP(cgroup, rows);
