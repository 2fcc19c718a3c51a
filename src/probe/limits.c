// SPDX-License-Identifier: BSD-2-Clause
/* What has a limit: open files and threads of the machine, tracked connections, open files of each process. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "buf.h"
#include "cleanup.h"
#include "gauges.h"
#include "kept_files.h"
#include "probe.h"

enum { FILES, FILES_LIMIT, THREADS, THREADS_LIMIT, CONNTRACK, CONNTRACK_LIMIT, PROCESS_FILES, PROCESS_FILES_LIMIT };

enum { ANYHOW_EVERY = 16 }; /* slices */
enum { THREADS_A_TURN = 200 }; /* so many entries of the list of threads are looked at each slice */

#define NOTEWORTHY 0.5 /* of its limit: a process that has less than that open is not mentioned */

struct limits_state {
	struct probe_state probe;
	struct gauge_set set;
	struct gauge_sets processes;
	uint32_t next; /* in the list of threads */
};

static void level_from(struct capture *c, struct limits_state *s, unsigned metric, const char *path)
{
	uint64_t value;

	if (kept_files_read_u64(c->files, path, &value) == 0)
		gauge_level(c, &s->set, s->probe.first_metric, metric, (double)value);
}

static void add_files(struct capture *c, struct limits_state *s)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	unsigned long long used, limit;

	if (kept_files_read(c->files, "/proc/sys/fs/file-nr", 256, &b) < 0 || sscanf(b.data, "%llu %*u %llu", &used, &limit) != 2)
		return;
	gauge_level(c, &s->set, s->probe.first_metric, FILES, (double)used);
	gauge_level(c, &s->set, s->probe.first_metric, FILES_LIMIT, (double)limit);
}

/* The lower of what may exist and what can have a number. */
static void add_threads(struct capture *c, struct limits_state *s)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	uint64_t most, ids;
	unsigned long long threads;

	if (kept_files_read(c->files, "/proc/loadavg", 256, &b) < 0 || sscanf(b.data, "%*s %*s %*s %*u/%llu", &threads) != 1 ||
	    kept_files_read_u64(c->files, "/proc/sys/kernel/threads-max", &most) < 0 || kept_files_read_u64(c->files, "/proc/sys/kernel/pid_max", &ids) < 0)
		return;
	gauge_level(c, &s->set, s->probe.first_metric, THREADS, (double)threads);
	gauge_level(c, &s->set, s->probe.first_metric, THREADS_LIMIT, (double)(most < ids ? most : ids));
}

/* Since 6.2 the size of /proc/PID/fd is the number of open files: to list them would cost too much. */
static double open_files(uint32_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	return stat(path, &st) ? 0 : (double)st.st_size;
}

static void add_process(struct capture *c, struct limits_state *s, const struct process *p)
{
	double open = open_files(p->pid);
	struct rlimit limit;
	char name[64];
	bool is_new;

	if (open <= 0 || prlimit((pid_t)p->pid, RLIMIT_NOFILE, NULL, &limit) || limit.rlim_cur == RLIM_INFINITY ||
	    open < NOTEWORTHY * (double)limit.rlim_cur)
		return;
	snprintf(name, sizeof(name), "%u %s", p->pid, p->comm);
	struct gauge_set *set = gauge_sets_get(&s->processes, name, &is_new);
	if (!set)
		return;
	if (is_new)
		set->resource = capture_resource(c, "process", name);
	gauge_level(c, set, s->probe.first_metric, PROCESS_FILES, open);
	gauge_level(c, set, s->probe.first_metric, PROCESS_FILES_LIMIT, (double)limit.rlim_cur);
}

/* Who has not run has opened no file; it is asked anyhow now and then, as others may change its limit. */
static bool is_due(const struct capture *c, const struct thread *t, bool all)
{
	const struct process *p = t->process;
	bool slept = t->account.span && t->account.span_state != STATE_RUNNING && !capture_is_sparse(c);

	if (!all || !p->files_slice || (c->slice + p->id) % ANYHOW_EVERY == 0)
		return t->tid == p->pid;
	return !slept;
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct limits_state *s = arg;
	uint32_t count = tasks_count(c->tasks), turn = count < THREADS_A_TURN ? count : THREADS_A_TURN;
	bool all = turn == count;

	add_files(c, s);
	add_threads(c, s);
	level_from(c, s, CONNTRACK, "/proc/sys/net/netfilter/nf_conntrack_count");
	level_from(c, s, CONNTRACK_LIMIT, "/proc/sys/net/netfilter/nf_conntrack_max");
	for (uint32_t i = 0; i < turn; i++) {
		const struct thread *t = tasks_get(c->tasks, s->next++ % count);

		if (t->process->flags & (PROCESS_KERNEL | PROCESS_OWN) || t->process->files_slice == c->slice || !is_due(c, t, all))
			continue;
		t->process->files_slice = c->slice;
		add_process(c, s, t->process);
	}
}

static void stop(struct capture *c, void *arg)
{
	gauge_sets_done(&((struct limits_state *)arg)->processes);
}

const struct probe probe_limits = {
	.name = "limits",
	.help = "open files, threads and tracked connections against their limits, from /proc",
	.metrics = (const struct probe_metric[]){
		[FILES] = {"limit.files", "count", "open files of the machine"},
		[FILES_LIMIT] = {"limit.files_most", "count", "and how many there may be"},
		[THREADS] = {"limit.threads", "count", "threads of the machine"},
		[THREADS_LIMIT] = {"limit.threads_most", "count", "and how many there may be"},
		[CONNTRACK] = {"limit.connections", "count", "connections that the firewall tracks"},
		[CONNTRACK_LIMIT] = {"limit.connections_most", "count", "and how many it may"},
		[PROCESS_FILES] = {"process.files", "count", "open files of a process, from half of its limit on"},
		[PROCESS_FILES_LIMIT] = {"process.files_most", "count", "and its limit"},
		{0}},
	.state_size = sizeof(struct limits_state),
	.slice = slice,
	.stop = stop,
};
