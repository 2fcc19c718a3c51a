/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process has at an address of its memory: a look at /proc/PID/maps, a tenth of a millisecond each. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "stacks.h"

struct region {
	struct stacks_mapping map;  /* its path is `path` */
	char access[5], path[512];  /* as in the file: "rw-p", "[heap]", "" */
};

/* The region with the address, or the file's mapping whose zeroed memory, which follows it, has it. */
bool region_find(uint32_t pid, uint64_t address, struct region *ret);
bool region_is_file(const struct region *r);
