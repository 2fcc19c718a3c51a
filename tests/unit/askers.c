// SPDX-License-Identifier: BSD-2-Clause
/* Whom is given what the kernel's threads do on a disk. */
#include "askers.h"

#include "check.h"

enum { DISK = 1, OTHER_DISK, FIRST = 1, SECOND, TASKS };

static void note(void *arg, uint32_t task, double share)
{
	((double *)arg)[task] += share;
}

static void by_claims(void)
{
	struct askers a = {0};
	double share[TASKS] = {0};

	askers_add(&a, DISK, FIRST, 300000);
	askers_add(&a, DISK, SECOND, 100000);
	askers_add(&a, OTHER_DISK, SECOND, 900000);
	CHECK(askers_take(&a, DISK, 200000, note, share) == 1);
	CHECK(share[FIRST] == 0.75 && share[SECOND] == 0.25);
	CHECK(askers_first(&a, DISK) == FIRST && askers_first(&a, OTHER_DISK) == SECOND);
	CHECK(askers_take(&a, DISK, 400000, note, share) == 0.5); /* no more than is left of the claims */
	CHECK(askers_first(&a, DISK) == 0);
	askers_done(&a);
}

static void elsewhere(void)
{
	struct askers a = {0};
	double share[TASKS] = {0};

	askers_add(&a, OTHER_DISK, FIRST, 100000);
	CHECK(askers_take(&a, DISK, 100000, note, share) == 0 && share[FIRST] == 0); /* nobody has a claim there */
	CHECK(askers_take(&a, 0, 50000, note, share) == 1 && share[FIRST] == 1); /* but somewhere */
	share[FIRST] = 0;
	askers_add(&a, 0, SECOND, 100000);
	CHECK(askers_take(&a, DISK, 100000, note, share) == 1 && share[FIRST] == 0 && share[SECOND] == 1); /* of any disk */
	CHECK(askers_first(&a, OTHER_DISK) == FIRST);
	askers_done(&a);
}

static void fades(void)
{
	struct askers a = {0};
	double share[TASKS] = {0};

	askers_add(&a, DISK, FIRST, 400000);
	askers_fade(&a, 0.75);
	CHECK(askers_take(&a, DISK, 400000, note, share) == 0.25);
	askers_add(&a, DISK, FIRST, 5000);
	askers_fade(&a, 0.5);
	CHECK(a.count == 0);
	askers_done(&a);
}

/* Of a striped device each disk has the whole as a claim, and does a part. */
static void stays_bounded(void)
{
	struct askers a = {0};
	double share[TASKS] = {0};

	for (int slice = 0; slice < 10000; slice++) {
		askers_add(&a, DISK, FIRST, 200000);
		askers_take(&a, DISK, 100000, note, share);
		askers_fade(&a, DIRT_FORGOTTEN);
	}
	CHECK(a.items[0].amount < 101000 / DIRT_FORGOTTEN);
	askers_done(&a);
}

int main(void)
{
	by_claims();
	elsewhere();
	fades();
	stays_bounded();
	return check_done("askers");
}
