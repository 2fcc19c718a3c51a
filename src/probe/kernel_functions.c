// SPDX-License-Identifier: BSD-2-Clause
#include "kernel_functions.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "search.h"

void kernel_functions_done(struct kernel_functions *k)
{
	free(k->all);
	*k = (struct kernel_functions){0};
}

/* How many begin at the address or before. */
static uint32_t count_up_to(const struct kernel_functions *k, uint64_t address)
{
	return COUNT_UP_TO(k->all, k->count, .start, address);
}

void kernel_functions_add(struct kernel_functions *k, uint64_t start, uint64_t size, uint32_t frame)
{
	uint32_t at = count_up_to(k, start);

	if (!size || start < k->core_start || start >= k->core_end || (at && k->all[at - 1].start == start))
		return;
	GROW(k->all, k->count, k->capacity);
	memmove(&k->all[at + 1], &k->all[at], (k->count - at) * sizeof(*k->all));
	k->all[at] = (struct kernel_function){start, start + size, frame};
	k->count++;
}

uint32_t kernel_functions_find(const struct kernel_functions *k, uint64_t address)
{
	uint32_t at = count_up_to(k, address);

	return at && address < k->all[at - 1].end ? k->all[at - 1].frame : 0;
}
