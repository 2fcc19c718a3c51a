// SPDX-License-Identifier: BSD-2-Clause
#include "affinity.h"

#include <sched.h>

#include "buf.h"

bool affinity_bound(uint32_t tid, const struct cpus *online, char **ret_list)
{
	struct cpus allowed = {0};
	struct buf list = BUF_INIT;
	bool bound = false;

	*ret_list = NULL;
	if (sched_getaffinity((pid_t)tid, sizeof(allowed.bits), (cpu_set_t *)(void *)allowed.bits) < 0)
		return false;
	for (uint32_t cpu = 0; cpu < CPUS_MOST; cpu++)
		bound |= cpus_has(online, cpu) && !cpus_has(&allowed, cpu);
	cpus_and(&allowed, online);
	for (uint32_t cpu = 0; bound && cpu < CPUS_MOST; cpu++) {
		uint32_t first = cpu;

		while (cpus_has(&allowed, cpu))
			cpu++;
		if (cpu == first)
			continue;
		buf_addf(&list, list.len ? ",%u" : "%u", first);
		if (cpu > first + 1)
			buf_addf(&list, "-%u", cpu - 1);
	}
	if (bound)
		*ret_list = buf_steal(&list);
	return bound;
}
