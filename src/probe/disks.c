// SPDX-License-Identifier: BSD-2-Clause
/* Disks as /proc/diskstats counts them. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "gauges.h"
#include "io.h"
#include "kept_files.h"
#include "probe.h"
#include "text.h"

enum { SIZE, BUSY, QUEUE, READS, WRITES, READ_BYTES, WRITTEN_BYTES, WAIT, OTHERS /* no metric: counted for WAIT */ };

enum { SECTOR = 512 };

struct disks_state {
	struct probe_state probe;
	struct gauge_sets sets;
};

/* Of a line of /proc/diskstats. */
struct numbers {
	char name[64];
	unsigned long long reads, read_sectors, read_ms, writes, written_sectors, write_ms, busy_ms, weighted_ms;
	unsigned long long discards, discard_ms, flushes, flush_ms;
};

static bool parse(const char *line, struct numbers *n)
{
	*n = (struct numbers){0};
	/* Discards came with 4.18, flushes with 5.5. */
	return sscanf(line, "%*u %*u %63s %llu %*u %llu %llu %llu %*u %llu %llu %*u %llu %llu %llu %*u %*u %llu %llu %llu",
		      n->name, &n->reads, &n->read_sectors, &n->read_ms, &n->writes, &n->written_sectors, &n->write_ms,
		      &n->busy_ms, &n->weighted_ms, &n->discards, &n->discard_ms, &n->flushes, &n->flush_ms) >= 9;
}

static int sys_path(char *path, size_t size, const char *name, const char *file)
{
	int n = snprintf(path, size, "/sys/block/%s/%s", name, file);

	for (char *p = path + strlen("/sys/block/"); p < path + strlen("/sys/block/") + strlen(name); p++)
		if (*p == '/')
			*p = '!';
	return n;
}

/* Whole disks only; loop and ram devices once they do something. */
static void introduce(struct capture *c, struct gauge_set *set, const char *name)
{
	char path[128];

	sys_path(path, sizeof(path), name, "size");
	if (access(path, F_OK))
		set->ignore = true;
	else
		set->resource = capture_resource(c, "disk", name);
}

static void add(struct capture *c, struct gauge_set *set, uint32_t metric, const struct numbers *n, double elapsed_ms)
{
	double reads = gauge_growth(set, READS, (double)n->reads), writes = gauge_growth(set, WRITES, (double)n->writes);
	double others = gauge_growth(set, OTHERS, (double)(n->discards + n->flushes));
	const struct { unsigned metric; double value; } values[] = {
		{BUSY, 100 * gauge_growth(set, BUSY, (double)n->busy_ms) / elapsed_ms},
		{QUEUE, gauge_growth(set, QUEUE, (double)n->weighted_ms) / elapsed_ms},
		{READS, reads},
		{WRITES, writes},
		{READ_BYTES, SECTOR * gauge_growth(set, READ_BYTES, (double)n->read_sectors)},
		{WRITTEN_BYTES, SECTOR * gauge_growth(set, WRITTEN_BYTES, (double)n->written_sectors)},
		{WAIT, 1e6 * gauge_growth(set, WAIT, (double)(n->read_ms + n->write_ms + n->discard_ms + n->flush_ms))},
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		double value = values[i].value;

		if (values[i].metric == BUSY && value > 100)
			value = 100;
		if (values[i].metric == WAIT)
			value = reads + writes + others > 0 ? value / (reads + writes + others) : 0;
		if (value > 0)
			capture_gauge(c, metric + values[i].metric, set->resource, value);
	}
}

static void add_size(struct capture *c, struct gauge_set *set, uint32_t metric, const char *name)
{
	char path[128];
	uint64_t sectors;

	sys_path(path, sizeof(path), name, "size");
	if (!starts_with(name, "loop") && !starts_with(name, "ram") && !starts_with(name, "zram") &&
	    kept_files_read_u64(c->files, path, &sectors) == 0 && sectors)
		gauge_level(c, set, metric, SIZE, (double)sectors * SECTOR);
}

static void read_disks(struct capture *c, struct disks_state *s, uint64_t now_ns, bool write)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char *rest;

	/* Not kept open: a disk with many partitions is too long a record for that. */
	if (read_file("/proc/diskstats", 1 << 20, &b) < 0)
		return;
	rest = b.data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		struct numbers n;
		bool is_new;
		struct gauge_set *set = parse(line, &n) ? gauge_sets_get(&s->sets, n.name, &is_new) : NULL;

		if (!set)
			continue;
		if (is_new)
			introduce(c, set, n.name);
		if (set->ignore)
			continue;
		double elapsed_ms = set->time_ns && now_ns > set->time_ns ? (double)(now_ns - set->time_ns) / 1e6 : 1e9;
		add(c, set, s->probe.first_metric, &n, elapsed_ms);
		if (write)
			add_size(c, set, s->probe.first_metric, n.name);
		set->time_ns = now_ns;
	}
}

static void start(struct capture *c, void *arg)
{
	read_disks(c, arg, clock_mono_ns(), false);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	read_disks(c, arg, now_ns, true);
}

static void stop(struct capture *c, void *arg)
{
	gauge_sets_done(&((struct disks_state *)arg)->sets);
}

const struct probe probe_disks = {
	.name = "disks",
	.help = "utilisation, queue, throughput and waiting time of each disk, from /proc/diskstats",
	.metrics = (const struct probe_metric[]){
		[SIZE] = {"disk.size", "bytes", "capacity"},
		[BUSY] = {"disk.busy", "%", "of the time, at least one request was in progress"},
		[QUEUE] = {"disk.queue", "requests", "requests waiting or in progress, on average"},
		[READS] = {"disk.reads", "count", "reads completed"},
		[WRITES] = {"disk.writes", "count", "writes completed"},
		[READ_BYTES] = {"disk.read", "bytes", "read"},
		[WRITTEN_BYTES] = {"disk.written", "bytes", "written"},
		[WAIT] = {"disk.wait", "ns", "mean time of a request, waiting and in progress"},
		{0}},
	.state_size = sizeof(struct disks_state),
	.start = start,
	.slice = slice,
	.stop = stop,
};
