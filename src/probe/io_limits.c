// SPDX-License-Identifier: BSD-2-Clause
/* Which processes may use a disk only so much, by a limit of their cgroup (blkio.throttle of version 1, io.max of version 2).
 * What is held back so has not reached the disk's queue yet, and the kernel's own threads let it go on: no hook tells of it. */
#include <dirent.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "disk_name.h"
#include "io.h"
#include "mem.h"
#include "probe.h"

enum { BYTES, REQUESTS, LIMITED_BY };

enum {
	EVERY = 10,     /* slices all cgroups are looked at; between, those that had a limit */
	DEEPEST = 16,
	MOST_CGROUPS = 4096,
	MOST_DISKS = 8, /* with a limit, of one cgroup */
	MOST_TEXT = 1 << 20,
};

struct limit {
	uint32_t disk;          /* a resource */
	uint64_t most[2];       /* BYTES and REQUESTS a second, the lower one of reads and writes; 0: no limit */
};

struct limits {
	struct limit items[MOST_DISKS];
	uint32_t count;
	uint32_t cgroup;        /* a resource: the lowest one that sets a limit */
};

struct limited {
	char *path;
	struct limits limits;
};

struct io_limits_state {
	struct probe_state probe;
	char *mount;            /* NULL: no cgroup limits disks */
	bool unified;
	uint32_t turn, left;    /* cgroups that may still be looked at in this turn */
	struct limited *items;  /* that had a limit at the last look at all */
	size_t count, capacity;
};

static void lower(struct capture *c, struct limits *l, unsigned device_major, unsigned device_minor, unsigned what, uint64_t most)
{
	uint32_t disk, i = 0;

	if (!most)
		return;
	disk = disk_resource(c, device_major << 20 | device_minor);
	while (i < l->count && l->items[i].disk != disk)
		i++;
	if (i == MOST_DISKS)
		return;
	if (i == l->count)
		l->items[l->count++] = (struct limit){.disk = disk};
	uint64_t *now = &l->items[i].most[what];
	if (!*now || most < *now)
		*now = most;
}

/* "MAJOR:MINOR 1048576" */
static void read_v1(struct capture *c, struct limits *l, char *line, unsigned what)
{
	unsigned device_major, device_minor;
	unsigned long long most;

	if (sscanf(line, "%u:%u %llu", &device_major, &device_minor, &most) == 3)
		lower(c, l, device_major, device_minor, what, most);
}

/* "MAJOR:MINOR rbps=1048576 wbps=max riops=max wiops=max" */
static void read_v2(struct capture *c, struct limits *l, char *line, unsigned what)
{
	unsigned device_major, device_minor;
	char *word = strsep(&line, " ");

	if (sscanf(word, "%u:%u", &device_major, &device_minor) != 2)
		return;
	while ((word = strsep(&line, " "))) {
		const char *value = strchr(word, '=');

		if (value)
			lower(c, l, device_major, device_minor, strstr(word, "iops=") ? REQUESTS : BYTES, strtoull(value + 1, NULL, 10));
	}
}

static const struct source {
	const char *file;
	void (*read)(struct capture *c, struct limits *l, char *line, unsigned what);
	unsigned what;
	bool unified;
} sources[] = {
	{"blkio.throttle.read_bps_device", read_v1, BYTES, false}, {"blkio.throttle.write_bps_device", read_v1, BYTES, false},
	{"blkio.throttle.read_iops_device", read_v1, REQUESTS, false}, {"blkio.throttle.write_iops_device", read_v1, REQUESTS, false},
	{"io.max", read_v2, BYTES, true},
};

static void read_limits(struct capture *c, const struct io_limits_state *s, const char *path, struct limits *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		_cleanup_free_ char *file = xasprintf("%s%s/%s", s->mount, path, sources[i].file);
		_cleanup_(buf_done) struct buf b = BUF_INIT;
		char *rest;

		if (sources[i].unified != s->unified || read_file(file, MOST_TEXT, &b) < 0 || !b.len)
			continue;
		l->cgroup = capture_resource(c, "cgroup", path);
		rest = b.data;
		for (char *line; (line = strsep(&rest, "\n"));)
			sources[i].read(c, l, line, sources[i].what);
	}
}

static void add_process(struct capture *c, const struct io_limits_state *s, uint32_t pid, const struct limits *l)
{
	const struct thread *t = tasks_find_thread(c->tasks, pid);

	if (!t || (c->filter && !t->process->selected))
		return;
	capture_add(c, s->probe.first_metric + LIMITED_BY, t->id, 0, l->cgroup, 1, 1);
	for (uint32_t i = 0; i < l->count; i++)
		for (unsigned what = BYTES; what <= REQUESTS; what++)
			if (l->items[i].most[what])
				capture_add(c, s->probe.first_metric + what, t->id, 0, l->items[i].disk, 1, (int64_t)l->items[i].most[what]);
}

static void add_processes(struct capture *c, const struct io_limits_state *s, const char *path, const struct limits *l)
{
	_cleanup_free_ char *file = xasprintf("%s%s/cgroup.procs", s->mount, path);
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char *rest;

	if (read_file(file, MOST_TEXT, &b) < 0)
		return;
	rest = b.data;
	for (char *line; (line = strsep(&rest, "\n"));)
		if (*line)
			add_process(c, s, (uint32_t)strtoul(line, NULL, 10), l);
}

/* `path` is "" for the root, which has no limits. In version 1 a limit holds for its own cgroup alone. */
static void walk(struct capture *c, struct io_limits_state *s, const char *path, const struct limits *above, unsigned depth)
{
	struct limits l = s->unified ? *above : (struct limits){0};
	_cleanup_free_ char *folder = xasprintf("%s%s", s->mount, path);

	if (!s->left || depth > DEEPEST)
		return;
	s->left--;
	if (*path)
		read_limits(c, s, path, &l);
	if (l.count) {
		GROW(s->items, s->count, s->capacity);
		s->items[s->count++] = (struct limited){xstrdup(path), l};
	}
	DIR *d = opendir(folder);
	for (const struct dirent *e; d && (e = readdir(d));) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		_cleanup_free_ char *below = xasprintf("%s/%s", path, e->d_name);
		walk(c, s, below, &l, depth + 1);
	}
	if (d)
		closedir(d);
}

static void forget(struct io_limits_state *s)
{
	while (s->count)
		free(s->items[--s->count].path);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct io_limits_state *s = arg;

	if (!s->mount)
		return;
	if (s->turn++ % EVERY == 0) {
		forget(s);
		s->left = MOST_CGROUPS;
		walk(c, s, "", &(struct limits){0}, 0);
	}
	for (size_t i = 0; i < s->count; i++)
		add_processes(c, s, s->items[i].path, &s->items[i].limits);
}

static void start(struct capture *c, void *arg)
{
	struct io_limits_state *s = arg;
	FILE *mounts = setmntent("/proc/self/mounts", "re");

	for (const struct mntent *m; mounts && (m = getmntent(mounts));) {
		bool v1 = !strcmp(m->mnt_type, "cgroup") && hasmntopt(m, "blkio");

		if (!v1 && (s->mount || strcmp(m->mnt_type, "cgroup2")))
			continue;
		free(s->mount);
		s->mount = xstrdup(m->mnt_dir);
		s->unified = !v1;
		if (v1)
			break;
	}
	if (mounts)
		endmntent(mounts);
}

static void stop(struct capture *c, void *arg)
{
	struct io_limits_state *s = arg;

	forget(s);
	free(s->items);
	free(s->mount);
}

const struct probe probe_io_limits = {
	.name = "io_limits",
	.help = "processes whose cgroup limits how much they may use a disk",
	.metrics = (const struct probe_metric[]){
		[BYTES] = {"io.limit_bytes", "bytes", "by process and disk: what it may read, or write, a second, summed over looks"},
		[REQUESTS] = {"io.limit_requests", "count", "by process and disk: reads, or writes, that it may make a second, summed over looks"},
		[LIMITED_BY] = {"io.limited_by", "count", "by process and the cgroup that sets such a limit: looks"},
		{0}},
	.state_size = sizeof(struct io_limits_state),
	.start = start,
	.slice = slice,
	.stop = stop,
};
