// SPDX-License-Identifier: BSD-2-Clause
/* Limits of the cgroups that have processes: CPU quotas and what they cost, memory and tasks, and what is used of them.
 * Both versions of cgroups, mixed too; a limit above a process's own cgroup holds it as well. */
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "gauges.h"
#include "intern.h"
#include "io.h"
#include "kept_files.h"
#include "mem.h"
#include "probe.h"

enum {
	QUOTA, PERIODS, PERIODS_THROTTLED, THROTTLED, MEMORY, MEMORY_LIMIT, MEMORY_HIGH, MEMORY_FAILURES, REFAULTS,
	OOM_KILLS, TASKS, TASKS_LIMIT, TASKS_REFUSED,
};

enum {
	LIMITS_EVERY = 10, /* slices: limits are set rarely */
	HIERARCHIES = 64,
};

#define NO_LIMIT 9e18 /* version 1 says so with a number close to 2^63 */
#define NOTEWORTHY 0.5 /* of its limit of tasks: every service has one, and few come near it */

enum kind { CPU_V1 = 1, MEMORY_V1 = 2, TASKS_V1 = 4, UNIFIED = 8 };

static const struct gauge_key cpu_v1[] = {
	{"nr_periods", PERIODS}, {"nr_throttled", PERIODS_THROTTLED}, {"throttled_time", THROTTLED}, {0}};
static const struct gauge_key cpu_v2[] = {
	{"nr_periods", PERIODS}, {"nr_throttled", PERIODS_THROTTLED}, {"throttled_usec", THROTTLED, .factor = 1000}, {0}};
static const struct gauge_key stat_v1[] = {
	{"total_workingset_refault_anon", REFAULTS}, {"total_workingset_refault_file", REFAULTS}, {0}};
static const struct gauge_key stat_v2[] = {
	{"workingset_refault_anon", REFAULTS}, {"workingset_refault_file", REFAULTS}, {0}};
static const struct gauge_key events_v1[] = {{"oom_kill", OOM_KILLS}, {0}};
static const struct gauge_key events_v2[] = {
	{"high", MEMORY_HIGH}, {"max", MEMORY_FAILURES}, {"oom_kill", OOM_KILLS}, {0}};

static const struct gauge_key task_events[] = {{"max", TASKS_REFUSED}, {0}};

struct cgroups_state {
	struct probe_state probe;
	char *mounts[UNIFIED + 1];        /* by kind; NULL: not mounted */
	uint8_t hierarchies[HIERARCHIES]; /* kinds, by the kernel's number */
	struct gauge_sets sets;           /* by "KIND PATH" */
	bool near;                        /* one was near its limit of tasks in the last slice */
	bool near_now;                    /* and in this one */
};

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p++)
		if ((p == list || p[-1] == ',') && (!p[n] || p[n] == ','))
			return true;
	return false;
}

static unsigned kinds_of(const char *controllers)
{
	if (!*controllers)
		return UNIFIED;
	return (has_word(controllers, "cpu") ? CPU_V1 : 0) | (has_word(controllers, "memory") ? MEMORY_V1 : 0) |
	       (has_word(controllers, "pids") ? TASKS_V1 : 0);
}

static void add_mount(struct cgroups_state *s, const char *path, const char *type, const char *options)
{
	unsigned kinds = !strcmp(type, "cgroup2") ? UNIFIED : !strcmp(type, "cgroup") ? kinds_of(options) : 0;

	for (unsigned kind = CPU_V1; kind <= UNIFIED; kind *= 2)
		if (kinds & kind && !s->mounts[kind])
			s->mounts[kind] = xstrdup(path);
}

static void find_mounts(struct cgroups_state *s)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char path[512], type[32], options[512];
	char *rest;

	if (read_file("/proc/self/mounts", 1 << 20, &b) < 0)
		return;
	rest = b.data;
	for (char *line; (line = strsep(&rest, "\n"));)
		if (sscanf(line, "%*s %511s %31s %511s", path, type, options) == 3)
			add_mount(s, path, type, options);
}

/* "max" and what is as good as no limit are 0. Limits are read too seldom to keep their files open. */
static double read_limit(const char *directory, const char *file)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", directory, file);
	uint64_t value;

	return read_u64_file(path, &value) == 0 && (double)value < NO_LIMIT ? (double)value : 0;
}

/* CPUs' worth of time; 0: no quota. */
static double read_quota(const char *directory, enum kind kind)
{
	_cleanup_free_ char *path = xasprintf("%s/cpu.max", directory);
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	unsigned long long quota, period;

	if (kind == CPU_V1) {
		double us = read_limit(directory, "cpu.cfs_quota_us"); /* -1, a huge number here: none */
		double period_us = read_limit(directory, "cpu.cfs_period_us");

		return period_us > 0 ? us / period_us : 0;
	}
	if (read_file(path, 256, &b) < 0 || sscanf(b.data, "%llu %llu", &quota, &period) != 2 || !period)
		return 0;
	return (double)quota / (double)period;
}

/* What one cgroup's files say. Limits are read anew only when it is their turn. */
struct reading {
	const struct capture *capture;
	enum kind kind;
	const char *directory;
	bool limits;
	bool refused; /* look whether tasks were */
	struct gauge_values values;
};

static void read_lines(struct reading *r, const char *file, const struct gauge_key *keys)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", r->directory, file);

	gauge_read_lines(r->capture, path, keys, &r->values);
}

static double read_usage(const struct reading *r, const char *file)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", r->directory, file);
	uint64_t value;

	return kept_files_read_u64(r->capture->files, path, &value) == 0 ? (double)value : 0;
}

static void put(struct reading *r, unsigned metric, double value, bool level)
{
	r->values.sum[metric] = value;
	r->values.present |= 1ull << metric;
	r->values.levels |= (uint64_t)level << metric;
}

/* 0 is written only to say that there is no limit any more. */
static double put_limit(struct reading *r, const struct gauge_set *set, unsigned metric, double limit)
{
	if (limit > 0 || set->known >> metric & 1)
		put(r, metric, limit, true);
	return limit;
}

static void read_cpu(const struct gauge_set *set, struct reading *r)
{
	double quota = put_limit(r, set, QUOTA, r->limits ? read_quota(r->directory, r->kind) : set->last[QUOTA]);

	if (quota > 0)
		read_lines(r, "cpu.stat", r->kind == CPU_V1 ? cpu_v1 : cpu_v2);
}

static double read_memory_limit(const struct reading *r)
{
	double limit = read_limit(r->directory, r->kind == MEMORY_V1 ? "memory.limit_in_bytes" : "memory.max");

	return limit > 0 || r->kind == MEMORY_V1 ? limit : read_limit(r->directory, "memory.high");
}

/* Adding up memory.stat costs more than the rest: only of a cgroup that has met its limit since the last look. */
static bool is_short(const struct gauge_set *set, const struct gauge_values *v)
{
	return !set->time_ns || v->sum[MEMORY_FAILURES] > set->last[MEMORY_FAILURES] || v->sum[MEMORY_HIGH] > set->last[MEMORY_HIGH];
}

static void read_memory(const struct gauge_set *set, struct reading *r)
{
	bool v1 = r->kind == MEMORY_V1;

	/* Version 1 counts a kill where the victim is, though the limit may be further up. */
	if (v1)
		read_lines(r, "memory.oom_control", events_v1);
	if (put_limit(r, set, MEMORY_LIMIT, r->limits ? read_memory_limit(r) : set->last[MEMORY_LIMIT]) <= 0)
		return;
	put(r, MEMORY, read_usage(r, v1 ? "memory.usage_in_bytes" : "memory.current"), true);
	if (v1)
		put(r, MEMORY_FAILURES, read_usage(r, "memory.failcnt"), false);
	else
		read_lines(r, "memory.events", events_v2);
	if (!is_short(set, &r->values))
		return;
	read_lines(r, "memory.stat", v1 ? stat_v1 : stat_v2);
	r->values.sum[REFAULTS] *= (double)sysconf(_SC_PAGESIZE);
}

/* From 6.11 on a refusal is counted where the limit is, and in pids.events at all above, too. Before, and in version 1, it is counted
 * where the task is, though the limit may be further up. */
static void read_refusals(struct reading *r)
{
	_cleanup_free_ char *local = xasprintf("%s/pids.events.local", r->directory), *path = xasprintf("%s/pids.events", r->directory);
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	if (read_file(local, 4096, &b) == 0 || read_file(path, 4096, &b) == 0)
		gauge_take_lines(b.data, task_events, &r->values);
}

static void read_tasks(const struct gauge_set *set, struct reading *r)
{
	bool told = set->known >> TASKS & 1;

	if (r->limits || r->refused)
		read_refusals(r);
	if (!r->limits && (!told || set->last[TASKS_LIMIT] <= 0 || set->last[TASKS] < NOTEWORTHY * set->last[TASKS_LIMIT]))
		return;
	double limit = read_limit(r->directory, "pids.max");
	double tasks = limit > 0 ? read_limit(r->directory, "pids.current") : 0;
	if (!told && (limit <= 0 || tasks < NOTEWORTHY * limit))
		return;
	put(r, TASKS_LIMIT, limit, true);
	put(r, TASKS, tasks, true);
}

static void read_cgroup(const struct capture *c, struct cgroups_state *s, uint32_t i, bool limits, struct gauge_values *ret_values)
{
	const char *key = intern_key(s->sets.names, i, NULL);
	enum kind kind = (enum kind)(key[0] - '0');
	_cleanup_free_ char *directory = xasprintf("%s%s", s->mounts[kind], key + 2);
	struct reading r = {.capture = c, .kind = kind, .directory = directory, .limits = limits, .refused = s->near};

	if (kind & (CPU_V1 | UNIFIED))
		read_cpu(s->sets.items[i], &r);
	if (kind & (MEMORY_V1 | UNIFIED))
		read_memory(s->sets.items[i], &r);
	if (kind & (TASKS_V1 | UNIFIED))
		read_tasks(s->sets.items[i], &r);
	s->near_now |= r.values.sum[TASKS] > 0 && r.values.sum[TASKS] >= NOTEWORTHY * r.values.sum[TASKS_LIMIT];
	*ret_values = r.values;
}

/* One cgroup in one hierarchy, and those above it but for the root. */
static void add_path(struct capture *c, struct cgroups_state *s, enum kind kind, const char *path)
{
	_cleanup_free_ char *up = xstrdup(path);

	if (!s->mounts[kind] || path[0] != '/' || strstr(path, "/../"))
		return;
	while (up[1]) {
		_cleanup_free_ char *name = xasprintf("%u %s", kind, up);
		struct gauge_values before;
		bool is_new;
		struct gauge_set *set = gauge_sets_get(&s->sets, name, &is_new);

		if (!set || !is_new)
			return;
		set->resource = capture_resource(c, "cgroup", up);
		read_cgroup(c, s, s->sets.count - 1, true, &before);
		gauge_remember(set, &before);
		char *slash = strrchr(up, '/');
		slash[slash == up] = 0;
	}
}

static void add_line(struct capture *c, struct cgroups_state *s, char *line)
{
	char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
	unsigned hierarchy;

	if (!path || sscanf(line, "%u", &hierarchy) != 1)
		return;
	*path++ = 0;
	unsigned kinds = kinds_of(controllers + 1);
	if (hierarchy < HIERARCHIES)
		s->hierarchies[hierarchy] = (uint8_t)kinds;
	for (unsigned kind = CPU_V1; kind <= UNIFIED; kind *= 2)
		if (kinds & kind)
			add_path(c, s, (enum kind)kind, path);
}

static void add_process(struct capture *c, struct cgroups_state *s, uint32_t pid)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char file[64];
	char *rest;

	snprintf(file, sizeof(file), "/proc/%u/cgroup", pid);
	if (read_file(file, 1 << 16, &b) < 0)
		return;
	rest = b.data;
	for (char *line; (line = strsep(&rest, "\n"));)
		add_line(c, s, line);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct cgroups_state *s = arg;

	for (uint32_t i = 0; i < s->sets.count; i++) {
		struct gauge_values v;

		/* Not all at once; and soon, for a quota may be set just after the cgroup was filled. */
		read_cgroup(c, s, i, (c->slice + i) % LIMITS_EVERY == 0 || !s->sets.items[i]->time_ns, &v);
		gauge_write(c, s->sets.items[i], s->probe.first_metric, &v);
		/* What grew while nobody looked did not grow in the slice of the next look. */
		if (!(v.present >> REFAULTS & 1))
			s->sets.items[i]->known &= ~(1ull << REFAULTS);
		s->sets.items[i]->time_ns = now_ns;
	}
	s->near = s->near_now;
	s->near_now = false;
}

static void start(struct capture *c, void *arg)
{
	struct cgroups_state *s = arg;

	find_mounts(s);
	add_process(c, s, (uint32_t)getpid()); /* which number is which hierarchy, also when all others are filtered out */
	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		const struct thread *t = tasks_get(c->tasks, i);

		if (t->tid == t->process->pid && !(t->process->flags & PROCESS_KERNEL) && (!c->filter || t->process->selected))
			add_process(c, s, t->process->pid);
	}
}

/* Children are where their parents are; what moves is told by its record, for it may be gone from /proc. */
static void record(struct capture *c, void *arg, const struct record *r)
{
	const struct cgroup_record *moved = (const struct cgroup_record *)r;
	struct cgroups_state *s = arg;

	if (moved->hierarchy >= HIERARCHIES)
		return;
	for (unsigned kind = CPU_V1; kind <= UNIFIED; kind *= 2)
		if (s->hierarchies[moved->hierarchy] & kind)
			add_path(c, s, (enum kind)kind, moved->path);
}

static void stop(struct capture *c, void *arg)
{
	struct cgroups_state *s = arg;

	for (size_t i = 0; i < ARRAY_SIZE(s->mounts); i++)
		free(s->mounts[i]);
	gauge_sets_done(&s->sets);
}

const struct probe probe_cgroups = {
	.name = "cgroups",
	.help = "limits of cgroups for CPU, memory and tasks, and what they cost",
	.metrics = (const struct probe_metric[]){
		[QUOTA] = {"cgroup.quota", "CPUs", "CPU time that the cgroup may use a second; 0: no longer limited"},
		[PERIODS] = {"cgroup.periods", "count", "periods of the quota in which it wanted to run"},
		[PERIODS_THROTTLED] = {"cgroup.periods_throttled", "count", "those in which the quota stopped it"},
		[THROTTLED] = {"cgroup.throttled", "ns", "time that it was stopped, added up over CPUs"},
		[MEMORY] = {"cgroup.memory", "bytes", "memory of a cgroup that has a limit, page cache included"},
		[MEMORY_LIMIT] = {"cgroup.memory_limit", "bytes", "and the limit; 0: no longer limited"},
		[MEMORY_HIGH] = {"cgroup.memory_high", "count", "times it was held back for being over memory.high"},
		[MEMORY_FAILURES] = {"cgroup.memory_failures", "count", "times it met its limit"},
		[REFAULTS] = {"cgroup.memory_refaults", "bytes", "of a cgroup that meets its limit: read again shortly after it had been reclaimed"},
		[OOM_KILLS] = {"cgroup.oom_kills", "count", "processes killed in it for want of memory"},
		[TASKS] = {"cgroup.tasks", "count", "threads of a cgroup that came to half of its limit"},
		[TASKS_LIMIT] = {"cgroup.tasks_limit", "count", "and the limit; 0: no longer limited"},
		[TASKS_REFUSED] = {"cgroup.tasks_refused", "count", "threads and processes that could not be made for it"},
		{0}},
	.state_size = sizeof(struct cgroups_state),
	.start = start,
	.slice = slice,
	.record = record,
	.stop = stop,
	.records = 1u << RECORD_CGROUP,
};
