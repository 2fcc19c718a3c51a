// SPDX-License-Identifier: BSD-2-Clause
/* Space and inodes of the file systems that lie on this machine. */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "buf.h"
#include "cleanup.h"
#include "gauges.h"
#include "io.h"
#include "mem.h"
#include "probe.h"

enum { SIZE, USED, INODES, INODES_USED };

enum { EVERY = 5 }; /* slices: space does not fill in a moment */

struct filesystems_state {
	struct probe_state probe;
	struct gauge_sets sets;
	uint32_t turn;
};

/* Those of remote servers are not asked: statvfs() would hang with a server that does not answer. */
static const char *const local_types[] = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "vfat",
					  "exfat", "ntfs3", "jfs", "reiserfs", "tmpfs", "overlay", "nilfs2"};

static bool is_local(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(local_types); i++)
		if (!strcmp(type, local_types[i]))
			return true;
	return false;
}

/* mountinfo writes white space and backslashes in octal. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *p = path; *p; p++) {
		unsigned code;

		if (*p == '\\' && sscanf(p + 1, "%3o", &code) == 1 && code < 256 && strspn(p + 1, "01234567") >= 3) {
			*to++ = (char)code;
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = 0;
}

static void add(struct capture *c, struct filesystems_state *s, struct gauge_set *set, const char *path)
{
	uint32_t metric = s->probe.first_metric;
	struct statvfs v;

	if (statvfs(path, &v) || !v.f_blocks)
		return;
	/* As df counts: what only root may use is no longer free to the others. */
	gauge_level(c, set, metric, SIZE, (double)(v.f_blocks - v.f_bfree + v.f_bavail) * (double)v.f_frsize);
	gauge_level(c, set, metric, USED, (double)(v.f_blocks - v.f_bfree) * (double)v.f_frsize);
	if (v.f_files) {
		gauge_level(c, set, metric, INODES, (double)v.f_files);
		gauge_level(c, set, metric, INODES_USED, (double)(v.f_files - v.f_ffree));
	}
}

/* "ID PARENT MAJOR:MINOR ROOT PATH OPTIONS ... - TYPE SOURCE OPTIONS". Several mounts of one device are one. */
static void look_at(struct capture *c, struct filesystems_state *s, char *line, struct gauge_sets *seen)
{
	char device[32], path[1024], type[32];
	const char *dash = strstr(line, " - ");
	bool is_new;

	if (!dash || sscanf(line, "%*u %*u %31s %*s %1023s", device, path) != 2 || sscanf(dash, " - %31s", type) != 1 ||
	    !is_local(type))
		return;
	gauge_sets_get(seen, device, &is_new);
	if (!is_new)
		return;
	unescape(path);
	struct gauge_set *set = gauge_sets_get(&s->sets, path, &is_new);
	if (!set)
		return;
	if (is_new)
		set->resource = capture_resource(c, "filesystem", path);
	add(c, s, set, path);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct filesystems_state *s = arg;
	_cleanup_(gauge_sets_done) struct gauge_sets seen = {0};
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char *rest;

	if (s->turn++ % EVERY || read_file("/proc/self/mountinfo", 1 << 20, &b) < 0)
		return;
	rest = b.data;
	for (char *line; (line = strsep(&rest, "\n"));)
		look_at(c, s, line, &seen);
}

static void stop(struct capture *c, void *arg)
{
	gauge_sets_done(&((struct filesystems_state *)arg)->sets);
}

const struct probe probe_filesystems = {
	.name = "filesystems",
	.help = "space and inodes of local file systems",
	.metrics = (const struct probe_metric[]){
		[SIZE] = {"filesystem.size", "bytes", "space, without what only root may use"},
		[USED] = {"filesystem.used", "bytes", "space in use"},
		[INODES] = {"filesystem.inodes", "count", "inodes"},
		[INODES_USED] = {"filesystem.inodes_used", "count", "inodes in use"},
		{0}},
	.state_size = sizeof(struct filesystems_state),
	.slice = slice,
	.stop = stop,
};
