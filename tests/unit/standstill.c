// SPDX-License-Identifier: BSD-2-Clause
/* What gaps of all CPUs have in common. */
#include "standstill.h"

#include "check.h"
#include "clock.h"

static bool common(const struct standstill *gaps, uint32_t count, double ret_ms[2])
{
	struct standstill ns[4] = {0}, found;

	for (uint32_t i = 0; i < count; i++)
		ns[i] = (struct standstill){gaps[i].since_ns * NS_PER_MS, gaps[i].until_ns * NS_PER_MS};
	bool is = standstill_common(ns, count, 50 * NS_PER_MS, &found);
	ret_ms[0] = (double)found.since_ns / 1e6;
	ret_ms[1] = (double)found.until_ns / 1e6;
	return is;
}

int main(void)
{
	double ms[2];

	CHECK(common((struct standstill[]){{1000, 1300}, {1005, 1302}}, 2, ms) && ms[0] == 1005 && ms[1] == 1300);
	CHECK(!common((struct standstill[]){{1000, 1300}, {1260, 1400}}, 2, ms)); /* each had its own */
	CHECK(!common((struct standstill[]){{1000, 1300}, {1400, 1500}}, 2, ms));
	CHECK(!common((struct standstill[]){{1000, 1300}, {1000, 1300}, {0, 0}}, 3, ms)); /* the third ran */
	CHECK(common((struct standstill[]){{1000, 1060}}, 1, ms));
	CHECK(!common(NULL, 0, ms));
	return check_done("standstill");
}
