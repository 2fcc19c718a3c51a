// SPDX-License-Identifier: BSD-2-Clause
#include "disk_below.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "disk_name.h"
#include "mem.h"

enum { MOST_LEVELS = 4 };

static void add(struct disk_set *set, struct capture *c, uint32_t device, int level);

static FILE *open_file(const char *folder, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return fopen(path, "re");
}

static void add_slave(struct disk_set *set, struct capture *c, const char *folder, const char *name, int level)
{
	char file[300];
	uint32_t major, minor;

	snprintf(file, sizeof(file), "slaves/%s/dev", name);
	_cleanup_fclose_ FILE *f = open_file(folder, file);
	if (f && fscanf(f, "%u:%u", &major, &minor) == 2)
		add(set, c, major << 20 | minor, level);
}

static void add_slaves(struct disk_set *set, struct capture *c, const char *folder, int level)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/slaves", folder);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir));)
		if (e->d_name[0] != '.')
			add_slave(set, c, folder, e->d_name, level);
	if (dir)
		closedir(dir);
}

/* The disk that a loop device's file lies on. A server is not asked for the file's attributes, though one that is away may still be
 * waited for on the way there. */
static void add_backing(struct disk_set *set, struct capture *c, const char *folder, int level)
{
	_cleanup_fclose_ FILE *f = open_file(folder, "loop/backing_file");
	char path[PATH_MAX];
	struct statx s;

	if (!f || !fgets(path, sizeof(path), f))
		return;
	path[strcspn(path, "\n")] = 0;
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &s) == 0 && s.stx_dev_major)
		add(set, c, s.stx_dev_major << 20 | s.stx_dev_minor, level);
}

static void add(struct disk_set *set, struct capture *c, uint32_t device, int level)
{
	uint32_t disk = disk_resource(c, device);
	char folder[64], whole[68];

	for (uint32_t i = 0; i < set->count; i++)
		if (set->disks[i] == disk)
			return;
	if (set->count == MOST_DISKS_BELOW || level == MOST_LEVELS)
		return;
	set->disks[set->count++] = disk;
	snprintf(folder, sizeof(folder), "/sys/dev/block/%u:%u", device >> 20, device & 0xfffff);
	snprintf(whole, sizeof(whole), "%s/..", folder); /* of a partition: its disk */
	for (int i = 0; i < 2; i++) {
		add_slaves(set, c, i ? whole : folder, level + 1);
		add_backing(set, c, i ? whole : folder, level + 1);
	}
}

const struct disk_set *disk_sets_find(struct disk_sets *s, struct capture *c, uint32_t device)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].device == device)
			return &s->items[i];
	GROW(s->items, s->count, s->capacity);
	struct disk_set *set = &s->items[s->count++];
	*set = (struct disk_set){.device = device};
	add(set, c, device, 0);
	return set;
}

void disk_sets_forget(struct disk_sets *s)
{
	s->count = 0;
}

void disk_sets_done(struct disk_sets *s)
{
	free(s->items);
}
