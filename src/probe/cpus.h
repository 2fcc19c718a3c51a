/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of CPUs. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct kept_files;

enum { CPUS_MOST = 4096 };

struct cpus {
	uint64_t bits[CPUS_MOST / 64];
};

int cpus_online(struct kept_files *files, struct cpus *ret_cpus);
int cpus_possible_count(uint32_t *ret_count); /* highest possible CPU + 1 */
bool cpus_has(const struct cpus *set, uint32_t cpu);
uint32_t cpus_next(const struct cpus *set, uint32_t from); /* the first of them from there on; CPUS_MOST: none */
uint32_t cpus_count(const struct cpus *set);
int cpus_first(const struct cpus *set);       /* -1 when empty */
bool cpus_all_in(const struct cpus *set, const struct cpus *other);
void cpus_and(struct cpus *set, const struct cpus *with);
