// SPDX-License-Identifier: BSD-2-Clause
#include "generated_code.h"

#include <stdlib.h>
#include <sys/uio.h>

#include "mem.h"

#define SAMPLES_NEEDED 20 /* of one instruction: a loop that only waits has few of them, and all of a thread's samples */
#define MOST_PLACES 64    /* in a recording, however long it is */

struct generated_code {
	uint8_t *samples; /* by frame; SAMPLES_NEEDED: has been looked at */
	uint32_t count, places;
};

struct generated_code *generated_code_new(void)
{
	return xcalloc(1, sizeof(struct generated_code));
}

void generated_code_free(struct generated_code *g)
{
	if (!g)
		return;
	free(g->samples);
	free(g);
}

bool generated_code_sampled(struct generated_code *g, uint32_t frame, pid_t pid, uint64_t address,
			    uint8_t ret_bytes[GENERATED_BYTES])
{
	struct iovec here = {.iov_base = ret_bytes, .iov_len = GENERATED_BYTES},
		     there = {.iov_base = (void *)(uintptr_t)(address - GENERATED_BEFORE), .iov_len = GENERATED_BYTES};

	GROW_ZEROED(g->samples, g->count, frame + 1);
	uint8_t *samples = &g->samples[frame];
	if (*samples == SAMPLES_NEEDED || ++*samples < SAMPLES_NEEDED || g->places == MOST_PLACES)
		return false;
	g->places++;
	return process_vm_readv(pid, &here, 1, &there, 1, 0) == GENERATED_BYTES;
}

void generated_code_forget_frames(struct generated_code *g)
{
	free(g->samples);
	g->samples = NULL;
	g->count = 0;
}
