// SPDX-License-Identifier: BSD-2-Clause
/* Space and inodes of the file systems that lie on this machine. */
#include "gauges.h"
#include "mounts.h"
#include "probe.h"

enum { SIZE, USED, INODES, INODES_USED };

struct filesystems_state {
	struct probe_state probe;
	struct gauge_sets sets;
	uint32_t looks; /* as mounts_look(), when they were written */
};

static void write_mount(struct capture *c, struct filesystems_state *s, const struct mount *m)
{
	const struct statvfs *v = &m->space;
	uint32_t metric = s->probe.first_metric;
	bool is_new;
	struct gauge_set *set = gauge_sets_get(&s->sets, m->name, &is_new);

	if (!set)
		return;
	if (is_new)
		set->resource = capture_resource(c, "filesystem", m->name);
	/* As df counts: what only root may use is no longer free to the others. */
	gauge_level(c, set, metric, SIZE, (double)(v->f_blocks - v->f_bfree + v->f_bavail) * (double)v->f_frsize);
	gauge_level(c, set, metric, USED, (double)(v->f_blocks - v->f_bfree) * (double)v->f_frsize);
	if (v->f_files) {
		gauge_level(c, set, metric, INODES, (double)v->f_files);
		gauge_level(c, set, metric, INODES_USED, (double)(v->f_files - v->f_ffree));
	}
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct filesystems_state *s = arg;

	uint32_t looks = mounts_look(c->mounts, c->tasks);

	if (looks == s->looks)
		return;
	s->looks = looks;
	for (size_t i = 0; i < mounts_count(c->mounts); i++)
		write_mount(c, s, mounts_get(c->mounts, i));
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
