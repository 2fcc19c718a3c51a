/* SPDX-License-Identifier: BSD-2-Clause */
/* For whom the kernel's own threads use a disk: each thread's claim on what they do there. Of those that dirty pages a claim is
 * bytes that have not been written yet; of those that wait until data is on the disk, ns that they have waited. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Of a claim of dirty pages, in each slice: what is dirty is written within half a minute, but of a device that consists of several
 * each disk has the whole as a claim and does a part. */
#define DIRT_FORGOTTEN (1. / 128)

struct asker {
	uint32_t disk; /* resource; 0: any of them */
	uint32_t task;
	double amount;
};

struct askers {
	struct asker *items;
	size_t count, capacity;
};

void askers_done(struct askers *a);
void askers_add(struct askers *a, uint32_t disk, uint32_t task, uint64_t amount);

/* `amount` has been done: it is shared out by what each thread has there. Disk 0: by what it has anywhere. Nobody
 * is given more than its claim. Shares are of the whole; returns their sum. */
typedef void askers_share(void *arg, uint32_t task, double share);
double askers_take(struct askers *a, uint32_t disk, uint64_t amount, askers_share *each, void *arg);

/* The thread with the largest claim there; 0 none. */
uint32_t askers_first(const struct askers *a, uint32_t disk);
/* That part of each claim is forgotten: claims can be larger than what is ever done. */
void askers_fade(struct askers *a, double part);
