/* SPDX-License-Identifier: BSD-2-Clause */
/* Of which disks a device consists, all the way down: mapped and RAID devices, loop devices. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { MOST_DISKS_BELOW = 16 };

struct capture;

struct disk_set {
	uint32_t device; /* major << 20 | minor */
	uint32_t count;
	uint32_t disks[MOST_DISKS_BELOW]; /* resources; the device's own is the first */
};

/* What has been asked for of late. */
struct disk_sets {
	struct disk_set *items;
	size_t count, capacity;
};

/* Valid until the next call. */
const struct disk_set *disk_sets_find(struct disk_sets *s, struct capture *c, uint32_t device);
void disk_sets_forget(struct disk_sets *s); /* devices may have been made anew */
void disk_sets_done(struct disk_sets *s);
