// SPDX-License-Identifier: BSD-2-Clause
#include "dirtiers.h"

#include <stdlib.h>

#include "mem.h"

/* Pages that were thrown away unwritten leave a rest: threads that have long ended must not add up. */
enum { MOST_DIRTIERS = 4096, LEAST_BYTES = 4096 };

void dirtiers_done(struct dirtiers *d)
{
	free(d->items);
}

void dirtiers_add(struct dirtiers *d, uint32_t disk, uint32_t task, uint64_t bytes)
{
	for (size_t i = 0; i < d->count; i++) {
		struct dirtier *item = &d->items[i];

		if (item->disk == disk && item->task == task) {
			item->bytes += (double)bytes;
			return;
		}
	}
	if (d->count == MOST_DIRTIERS)
		d->items[0] = d->items[--d->count];
	GROW(d->items, d->count, d->capacity);
	d->items[d->count++] = (struct dirtier){disk, task, (double)bytes};
}

static double sum(const struct dirtiers *d, uint32_t disk)
{
	double bytes = 0;

	for (size_t i = 0; i < d->count; i++)
		if (!disk || d->items[i].disk == disk)
			bytes += d->items[i].bytes;
	return bytes;
}

double dirtiers_take(struct dirtiers *d, uint32_t disk, uint64_t bytes, dirtiers_share *each, void *arg)
{
	double all = sum(d, disk);

	if (all <= 0) {
		disk = 0;
		all = sum(d, 0);
	}
	if (all <= 0 || !bytes)
		return 0;
	double part = (double)bytes < all ? (double)bytes / all : 1;
	for (size_t i = d->count; i-- > 0;) {
		struct dirtier *item = &d->items[i];

		if (disk && item->disk != disk)
			continue;
		each(arg, item->task, part * item->bytes / (double)bytes);
		item->bytes -= part * item->bytes;
		if (item->bytes < LEAST_BYTES)
			*item = d->items[--d->count];
	}
	return part * all / (double)bytes;
}

uint32_t dirtiers_first(const struct dirtiers *d, uint32_t disk)
{
	const struct dirtier *first = NULL;

	for (size_t i = 0; i < d->count; i++)
		if (d->items[i].disk == disk && (!first || d->items[i].bytes > first->bytes))
			first = &d->items[i];
	return first ? first->task : 0;
}
