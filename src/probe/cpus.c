// SPDX-License-Identifier: BSD-2-Clause
#include "cpus.h"

#include "cleanup.h"
#include "fail.h"
#include "io.h"
#include "kept_files.h"
#include "mem.h"
#include "parse.h"

static int read_set(struct kept_files *files, const char *path, struct cpus *ret_cpus)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int r = files ? kept_files_read(files, path, 65536, &b) : read_file(path, 65536, &b);

	*ret_cpus = (struct cpus){0};
	if (r < 0)
		return fail(r, "%s", path);
	r = parse_cpu_list(b.data, ret_cpus->bits, CPUS_MOST);
	return r < 0 ? fail_in(r, "%s", path) : 0;
}

int cpus_online(struct kept_files *files, struct cpus *ret_cpus)
{
	return read_set(files, "/sys/devices/system/cpu/online", ret_cpus);
}

int cpus_possible_count(uint32_t *ret_count)
{
	struct cpus set;
	int r = read_set(NULL, "/sys/devices/system/cpu/possible", &set);

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

uint32_t cpus_next(const struct cpus *set, uint32_t from)
{
	for (uint32_t cpu = from; cpu < CPUS_MOST; cpu = (cpu | 63) + 1) {
		uint64_t left = set->bits[cpu / 64] >> cpu % 64;

		if (left)
			return cpu + (uint32_t)__builtin_ctzll(left);
	}
	return CPUS_MOST;
}

uint32_t cpus_count(const struct cpus *set)
{
	uint32_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(set->bits); i++)
		count += (uint32_t)__builtin_popcountll(set->bits[i]);
	return count;
}

int cpus_first(const struct cpus *set)
{
	uint32_t cpu = cpus_next(set, 0);

	return cpu < CPUS_MOST ? (int)cpu : -1;
}

bool cpus_all_in(const struct cpus *set, const struct cpus *other)
{
	uint64_t missing = 0;

	for (size_t i = 0; i < ARRAY_SIZE(set->bits); i++)
		missing |= set->bits[i] & ~other->bits[i];
	return !missing;
}

void cpus_and(struct cpus *set, const struct cpus *with)
{
	for (size_t i = 0; i < ARRAY_SIZE(set->bits); i++)
		set->bits[i] &= with->bits[i];
}
