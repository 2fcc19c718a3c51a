/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of the kernel whose names are known. Their code is not kept, so that nothing is lost when one frame stands for all addresses
 * in a function: else each sample would leave a frame and a stack of its own. */
#pragma once
#include <stdint.h>

struct kernel_function {
	uint64_t start, end;
	uint32_t frame;
};

struct kernel_functions {
	uint64_t core_start, core_end; /* of the kernel proper: others may come and go, and are never known */
	struct kernel_function *all;   /* by address */
	uint32_t count, capacity;
};

void kernel_functions_done(struct kernel_functions *k);
void kernel_functions_add(struct kernel_functions *k, uint64_t start, uint64_t size, uint32_t frame); /* a known one stays what it is */
uint32_t kernel_functions_find(const struct kernel_functions *k, uint64_t address); /* its frame; 0: not known */
