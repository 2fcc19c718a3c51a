/* SPDX-License-Identifier: BSD-2-Clause */
/* Which requests to disks the kernel side looks at closely: all while there are few, else a part that is drawn. Each is counted all the
 * same, so that what is known of the part can be put in proportion to the whole. */
#pragma once
#include <stdbool.h>

#include "blkio.h"

struct bpf_object;

/* Of one device. */
struct disk_watch {
	uint64_t counted; /* requests so far, at the last look */
	uint32_t many;    /* looks in a row that found too many drawn */
	uint32_t kept;    /* looks until nothing drawn with the shift before can be on its way */
};

struct disk_draws {
	struct disk_queue *queues; /* the kernel side's, mapped */
	uint64_t looked_ns;
	struct disk_watch watched[DISK_QUEUE_PLACES];
};

int disk_draws_init(struct disk_draws *d, const struct bpf_object *object); /* of a loaded object; negative errno with fail() */
void disk_draws_done(struct disk_draws *d);
void disk_draws_adapt(struct disk_draws *d, uint64_t now_ns); /* some ten times a second */

/* All requests of one kind so far. */
struct disk_count disk_draws_count(const struct disk_draws *d, uint32_t device, uint32_t operation);

/* What one that was drawn stands for, beside what the kernel side took it for. */
struct disk_scale {
	double requests, bytes;
};

/* Growth of what was counted since *before, against that of what was drawn; *before is moved on when it has been used. */
struct disk_scale disk_scale(const struct disk_io *io, const struct disk_io *io_before, const struct disk_count *now,
			     struct disk_count *before);
