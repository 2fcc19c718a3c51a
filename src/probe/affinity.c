// SPDX-License-Identifier: BSD-2-Clause
#include "affinity.h"

#include <sched.h>

#include "buf.h"

bool affinity_bound(uint32_t tid, const struct cpus *online, char **ret_list)
{
	struct cpus allowed = {0};
	struct buf list = BUF_INIT;

	*ret_list = NULL;
	if (sched_getaffinity((pid_t)tid, sizeof(allowed.bits), (cpu_set_t *)(void *)allowed.bits) < 0)
		return false;
	if (cpus_all_in(online, &allowed))
		return false;
	cpus_and(&allowed, online);
	for (uint32_t cpu = cpus_next(&allowed, 0); cpu < CPUS_MOST; cpu = cpus_next(&allowed, cpu)) {
		uint32_t first = cpu;

		while (cpus_has(&allowed, cpu))
			cpu++;
		buf_addf(&list, list.len ? ",%u" : "%u", first);
		if (cpu > first + 1)
			buf_addf(&list, "-%u", cpu - 1);
	}
	*ret_list = buf_steal(&list);
	return true;
}
