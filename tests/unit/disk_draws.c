// SPDX-License-Identifier: BSD-2-Clause
/* How many requests to disks are drawn, and what a drawn one stands for. */
#include "disk_draws.h"

#include "check.h"
#include "clock.h"

static struct disk_queue queues[DISK_QUEUE_PLACES];

static void go_on(struct disk_draws *d, uint64_t *now_ns, uint64_t requests)
{
	queues[3].done[DISK_READ].requests += requests;
	*now_ns += 100 * NS_PER_MS;
	disk_draws_adapt(d, *now_ns);
}

static void adapts(void)
{
	struct disk_draws d = {.queues = queues};
	const struct disk_draw *draw = &queues[3].draw, *other = &queues[5].draw;
	uint64_t now_ns = NS_PER_S;

	queues[3] = (struct disk_queue){.key = 1, .device = 8};
	queues[5] = (struct disk_queue){.key = 2, .device = 9};
	go_on(&d, &now_ns, 1000000);
	CHECK(draw->shift == 0); /* nothing is known of how long that took */
	go_on(&d, &now_ns, 150);
	CHECK(draw->shift == 0);
	for (int i = 0; i < 9; i++)
		go_on(&d, &now_ns, 2500); /* 25,000 a second, */
	CHECK(draw->shift == 0);
	go_on(&d, &now_ns, 2500); /* for a whole second */
	CHECK(draw->shift == 4 && draw->shift_before == 0);
	for (int i = 0; i < 19; i++)
		go_on(&d, &now_ns, 2500);
	CHECK(draw->shift == 4 && draw->shift_before == 0); /* of some that are on their way */
	go_on(&d, &now_ns, 2500);
	CHECK(draw->shift == 4 && draw->shift_before == 4);
	go_on(&d, &now_ns, 1000); /* 625 of them are drawn: it stays */
	CHECK(draw->shift == 4);
	CHECK(other->shift == 0); /* a slow disk is looked at closely also beside a fast one */
	now_ns += NS_PER_MS; /* too soon to tell */
	disk_draws_adapt(&d, now_ns);
	CHECK(draw->shift == 4);
	go_on(&d, &now_ns, 0);
	CHECK(draw->shift == 0 && draw->shift_before == 0);
}

static void counts(void)
{
	struct disk_draws d = {.queues = queues};

	queues[3] = (struct disk_queue){.key = 1, .device = 8, .done[DISK_WRITE] = {.requests = 5, .bytes = 50}};
	queues[7] = (struct disk_queue){.key = 2, .device = 8, .done[DISK_WRITE] = {.requests = 2, .bytes = 20}}; /* came anew */
	queues[9] = (struct disk_queue){.key = 3, .device = 9, .done[DISK_WRITE] = {.requests = 9}};
	struct disk_count sum = disk_draws_count(&d, 8, DISK_WRITE);
	CHECK(sum.requests == 7 && sum.bytes == 70);
}

static void scales(void)
{
	struct disk_count before = {.requests = 100, .bytes = 1000}, now = {.requests = 140, .bytes = 1300};
	struct disk_io old = {.requests = 100, .drawn = 100, .bytes = 1000}, io = {.requests = 132, .drawn = 102, .bytes = 1200};
	struct disk_scale scale = disk_scale(&old, &old, &now, &before);

	/* None was drawn: what was counted is left for those that will be. */
	CHECK(scale.requests == 1 && scale.bytes == 1 && before.requests == 100);
	scale = disk_scale(&io, &old, &now, &before);
	CHECK(scale.requests == 40.0 / 32 && scale.bytes == 1.5 && before.requests == 140 && before.bytes == 1300);
	/* All were looked at: they stand for themselves, also when one more is counted meanwhile. */
	old = io;
	io.requests += 7;
	io.drawn += 7;
	now.requests += 8;
	scale = disk_scale(&io, &old, &now, &before);
	CHECK(scale.requests == 1 && scale.bytes == 1 && before.requests == 148);
	/* The place is another device's now. */
	now.requests = now.bytes = 3;
	scale = disk_scale(&io, &io, &now, &before);
	CHECK(scale.requests == 1 && scale.bytes == 1 && before.requests == 3);
}

int main(void)
{
	adapts();
	counts();
	scales();
	return check_done("disk_draws");
}
