// SPDX-License-Identifier: BSD-2-Clause
/* Finding where a process was stopped as a whole. */
#include "releases.h"

#include "check.h"
#include "clock.h"

enum { PROCESS = 7, STOPPER = 1 };

struct told {
	unsigned count;
	struct world_stop last;
};

static void note(void *arg, const struct world_stop *stop)
{
	struct told *told = arg;

	told->count++;
	told->last = *stop;
}

static void add(struct releases *rs, uint32_t task, uint32_t waker, double since_ms, double woken_ms)
{
	releases_add(rs, &(struct release){.process = PROCESS, .task = task, .waker = waker, .waker_tid = 100 + waker,
					   .since_ns = (uint64_t)(since_ms * NS_PER_MS), .woken_ns = (uint64_t)(woken_ms * NS_PER_MS)});
}

static void all_at_once(void)
{
	struct told told = {0};
	struct releases *rs = releases_new(note, &told);

	add(rs, 2, STOPPER, 100, 160);
	add(rs, 3, STOPPER, 100.5, 160.01);
	add(rs, 4, 3, 101, 160.5); /* woken by the one before */
	releases_settle(rs, 160 * NS_PER_MS);
	CHECK(told.count == 0);
	releases_settle(rs, 170 * NS_PER_MS);
	CHECK(told.count == 1 && told.last.threads == 3 && told.last.waker == STOPPER && told.last.waker_tid == 101);
	CHECK(told.last.start_ns == 100500000 && told.last.end_ns == 160000000 && told.last.spread_ns == 1000000);
	releases_free(rs);
}

/* One had waited long before for something else, and went on at the same time. */
static void one_by_chance(void)
{
	struct told told = {0};
	struct releases *rs = releases_new(note, &told);

	add(rs, 2, STOPPER, 10, 160);
	add(rs, 3, STOPPER, 100, 160);
	add(rs, 4, STOPPER, 100.1, 160);
	add(rs, 2, STOPPER, 200, 300); /* the next one closes it */
	CHECK(told.count == 1 && told.last.threads == 2 && told.last.start_ns == 100000000);
	releases_settle(rs, 400 * NS_PER_MS);
	CHECK(told.count == 2 && told.last.threads == 1);
	releases_free(rs);
}

/* Workers that have finished: who lets them go on had been waiting for them. */
static void they_had_finished(void)
{
	struct told told = {0};
	struct releases *rs = releases_new(note, &told);

	add(rs, STOPPER, 4, 50, 103);
	add(rs, 2, STOPPER, 101, 120);
	add(rs, 3, STOPPER, 102, 120);
	add(rs, 4, STOPPER, 103.1, 120);
	releases_settle(rs, 200 * NS_PER_MS);
	CHECK(told.last.threads == 3 && told.last.early == 2);
	releases_free(rs);
}

int main(void)
{
	all_at_once();
	one_by_chance();
	they_had_finished();
	return check_done("releases");
}
