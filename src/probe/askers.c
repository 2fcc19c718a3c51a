// SPDX-License-Identifier: BSD-2-Clause
#include "askers.h"

#include <stdbool.h>
#include <stdlib.h>

#include "mem.h"

/* Pages that were thrown away unwritten leave a rest: threads that have long ended must not add up. */
enum { MOST_ASKERS = 4096, LEAST = 4096 };

void askers_done(struct askers *a)
{
	free(a->items);
}

void askers_add(struct askers *a, uint32_t disk, uint32_t task, uint64_t amount)
{
	for (size_t i = 0; i < a->count; i++) {
		struct asker *item = &a->items[i];

		if (item->disk == disk && item->task == task) {
			item->amount += (double)amount;
			return;
		}
	}
	if (a->count == MOST_ASKERS)
		a->items[0] = a->items[--a->count];
	GROW(a->items, a->count, a->capacity);
	a->items[a->count++] = (struct asker){disk, task, (double)amount};
}

static bool is_for(const struct asker *item, uint32_t disk)
{
	return !disk || !item->disk || item->disk == disk;
}

static double sum(const struct askers *a, uint32_t disk)
{
	double amount = 0;

	for (size_t i = 0; i < a->count; i++)
		if (is_for(&a->items[i], disk))
			amount += a->items[i].amount;
	return amount;
}

static void drop_small(struct askers *a, size_t i)
{
	if (a->items[i].amount < LEAST)
		a->items[i] = a->items[--a->count];
}

double askers_take(struct askers *a, uint32_t disk, uint64_t amount, askers_share *each, void *arg)
{
	double all = sum(a, disk);

	if (all <= 0 || !amount)
		return 0;
	double part = (double)amount < all ? (double)amount / all : 1;
	for (size_t i = a->count; i-- > 0;) {
		struct asker *item = &a->items[i];

		if (!is_for(item, disk))
			continue;
		each(arg, item->task, part * item->amount / (double)amount);
		item->amount -= part * item->amount;
		drop_small(a, i);
	}
	return part * all / (double)amount;
}

uint32_t askers_first(const struct askers *a, uint32_t disk)
{
	const struct asker *first = NULL;

	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].disk == disk && (!first || a->items[i].amount > first->amount))
			first = &a->items[i];
	return first ? first->task : 0;
}

void askers_fade(struct askers *a, double part)
{
	for (size_t i = a->count; i-- > 0;) {
		a->items[i].amount -= part * a->items[i].amount;
		drop_small(a, i);
	}
}
