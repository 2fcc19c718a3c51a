// SPDX-License-Identifier: BSD-2-Clause
#include "cpus.h"

#include "cleanup.h"
#include "fail.h"
#include "io.h"
#include "mem.h"
#include "parse.h"

static int read_set(const char *path, struct cpus *ret_cpus)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int r = read_file(path, 65536, &b);

	*ret_cpus = (struct cpus){0};
	if (r < 0)
		return fail(r, "%s", path);
	r = parse_cpu_list(b.data, ret_cpus->bits, CPUS_MOST);
	return r < 0 ? fail_in(r, "%s", path) : 0;
}

int cpus_online(struct cpus *ret_cpus)
{
	return read_set("/sys/devices/system/cpu/online", ret_cpus);
}

int cpus_possible_count(uint32_t *ret_count)
{
	struct cpus set;
	int r = read_set("/sys/devices/system/cpu/possible", &set);

	*ret_count = 0;
	for (uint32_t cpu = 0; cpu < CPUS_MOST; cpu++)
		if (cpus_has(&set, cpu))
			*ret_count = cpu + 1;
	return r;
}

bool cpus_has(const struct cpus *set, uint32_t cpu)
{
	return cpu < CPUS_MOST && set->bits[cpu / 64] >> cpu % 64 & 1;
}

int cpus_first(const struct cpus *set)
{
	for (uint32_t cpu = 0; cpu < CPUS_MOST; cpu++)
		if (cpus_has(set, cpu))
			return (int)cpu;
	return -1;
}

void cpus_and(struct cpus *set, const struct cpus *with)
{
	for (size_t i = 0; i < ARRAY_SIZE(set->bits); i++)
		set->bits[i] &= with->bits[i];
}
