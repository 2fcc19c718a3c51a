/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own record of new mappings and execs, from perf events: nothing else on a
 * locked-down kernel tells of an mmap. One ring a CPU; events come out in order of time. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

struct sideband;

enum sideband_kind { SIDEBAND_MMAP, SIDEBAND_EXEC };

struct sideband_event {
	enum sideband_kind kind;
	uint64_t time_ns;
	uint32_t pid, tid;
	/* SIDEBAND_MMAP, executable mappings only: */
	uint64_t start, end, offset, inode;
	uint32_t major, minor;
	const char *path; /* NUL-terminated, valid until the next sideband_*() */
};

int sideband_new(uint32_t cpus, struct sideband **ret_sideband); /* for so many */
void sideband_free(struct sideband *sb);
int sideband_fd(const struct sideband *sb); /* readable when a ring is half full */

int sideband_add_cpu(struct sideband *sb, int cpu); /* also one that comes back */
void sideband_remove_cpu(struct sideband *sb, int cpu);

void sideband_fetch(struct sideband *sb); /* takes all that is there out of the rings */
/* The next fetched event not later than until_ns; false when there is none. */
bool sideband_next(struct sideband *sb, uint64_t until_ns, struct sideband_event *ret_event);
uint64_t sideband_lost(const struct sideband *sb);

DEFINE_CLEANUP(struct sideband *, sideband_free)
