/* SPDX-License-Identifier: BSD-2-Clause */
/* A recording's stacks as a tree: what is counted, under the current selection (store_select()). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "flame.h"

struct store;

enum profile { PROFILE_CPU, PROFILE_OFFCPU, PROFILE_WAKEUP, PROFILE_LOCK, PROFILE_DISK, PROFILE_NET, PROFILE_FAULT,
	       PROFILE_MEMORY, PROFILE_PAUSE, PROFILES };

/* As users name them; ends with NULL: the choices of an option. */
extern const char *const profile_names[PROFILES + 1];
const char *profile_title(enum profile profile); /* "CPU time" */
const char *profile_metric(enum profile profile); /* its metrics, as a GLOB: "wait.*" */

struct recorded {
	uint64_t samples;
	char unit[16]; /* of the values: "ns", "bytes", "count", ... */
};

/* Waits for work are left out unless `idle`. Adds every stack, below a frame with its process's name. -ENODATA with a message when the
 * recording holds nothing of the kind. */
int flame_add_recording(struct flame *f, enum flame_side side, struct store *s, enum profile profile,
			bool idle, struct recorded *ret_recorded);
