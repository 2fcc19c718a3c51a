// SPDX-License-Identifier: BSD-2-Clause
#include "wait_parts.h"

#include <stdlib.h>

#include "capture.h"
#include "mem.h"
#include "owed.h"
#include "past.h"

struct writing {
	struct capture *capture;
	uint32_t first_metric;
};

void wait_parts_add(struct wait_parts *p, const struct wait_part *part)
{
	GROW(p->items, p->count, p->capacity);
	p->items[p->count++] = *part;
}

static int by_thread_and_cause(const void *a, const void *b)
{
	const struct wait_part *x = a, *y = b;

	if (x->task != y->task)
		return x->task < y->task ? -1 : 1;
	return (int)x->cause - y->cause;
}

static void write_part(const struct writing *x, const struct wait_part *part, double scale)
{
	scale *= x->capture->account_scale;
	capture_add(x->capture, x->first_metric + part->cause - STATE_SLEEPING, part->task, part->stack, part->resource,
		    (uint64_t)((double)part->count * x->capture->account_scale), (int64_t)(scale * part->ns));
}

/* The others are scaled to the rest. */
static void write_exact(const struct writing *x, const struct wait_part *part)
{
	uint64_t *owed_ns = &owed_debt(part->owed, part->cause)->ns, ns = (uint64_t)(part->ns * x->capture->account_scale);

	*owed_ns -= ns < *owed_ns ? ns : *owed_ns;
	write_part(x, part, 1);
}

/* Parts of one thread and cause are scaled by all that is known of them. One slice alone would not do: in few
 * waits the rare long ones stand for more than the slice, or are missing, and scaling each slice by itself
 * would favour the short ones. */
static void share_out(const struct writing *x, const struct wait_part *parts, size_t count)
{
	struct debt *debt = owed_debt(parts[0].owed, parts[0].cause);
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		if (parts[i].exact)
			write_exact(x, &parts[i]);
		else
			sum += parts[i].ns * x->capture->account_scale;
	double exact = (double)debt->ns;
	debt->drawn_ns += sum;
	if (!(sum > 0)) /* none that stands for any */
		return;
	double scale = exact / debt->drawn_ns;
	/* Chance adds up: what was written before pulls back, gently. */
	double drift = exact > 0 ? (debt->written_ns + scale * sum) / exact : 1;
	scale /= drift * drift * drift;
	debt->written_ns += scale * sum;
	for (size_t i = 0; i < count; i++)
		if (!parts[i].exact)
			write_part(x, &parts[i], scale);
}

static void forget(struct wait_parts *p)
{
	for (size_t i = 0; i < p->count; i++)
		owed_unref(p->items[i].owed);
	p->count = 0;
}

void wait_parts_write(struct wait_parts *p, struct capture *c, uint32_t first_metric, const struct map *stacks)
{
	const struct writing x = {c, first_metric};

	for (size_t i = 0; i < p->count; i++)
		p->items[i].stack = site_stack(stacks, p->items[i].task, p->items[i].site, p->items[i].stack);
	qsort(p->items, p->count, sizeof(*p->items), by_thread_and_cause);
	for (size_t i = 0, next; i < p->count; i = next) {
		next = i + 1;
		while (next < p->count && !by_thread_and_cause(&p->items[i], &p->items[next]))
			next++;
		share_out(&x, &p->items[i], next - i);
	}
	forget(p);
}

void wait_parts_done(struct wait_parts *p)
{
	forget(p);
	free(p->items);
}
