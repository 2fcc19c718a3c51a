// SPDX-License-Identifier: BSD-2-Clause
#include "generated_code.h"

#include <sys/uio.h>

#define SAMPLES_NEEDED 20 /* of one instruction: a loop that only waits has few of them, and all of a thread's samples */
#define MOST_PLACES 64    /* in a recording, however long it is */

bool generated_code_sampled(struct generated_code *g, uint32_t samples, pid_t pid, uint64_t address,
			    uint8_t ret_bytes[GENERATED_BYTES])
{
	struct iovec here = {.iov_base = ret_bytes, .iov_len = GENERATED_BYTES},
		     there = {.iov_base = (void *)(uintptr_t)(address - GENERATED_BEFORE), .iov_len = GENERATED_BYTES};

	if (samples != SAMPLES_NEEDED || g->places == MOST_PLACES)
		return false;
	g->places++;
	return process_vm_readv(pid, &here, 1, &there, 1, 0) == GENERATED_BYTES;
}
