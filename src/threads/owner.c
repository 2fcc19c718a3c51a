// SPDX-License-Identifier: BSD-2-Clause
#include "owner.h"

#include "mem.h"

static owner_finder *const finders[] = {hotspot_lock_holders, python_lock_holders, guard_lock_holders};

void owners_find(const struct space *s, struct sleeper *sleepers, size_t count, struct arena *names)
{
	for (size_t i = 0; i < ARRAY_SIZE(finders); i++)
		finders[i](s, sleepers, count, names);
}
