/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages that were touched for the first time, looked at again until they are given back: what memory has grown by is what
 * is still there. A page that has faulted again has lost its token: another has taken its place. */
#pragma once
#include <stdint.h>

struct grown;

struct grown_page {
	uint64_t time_ns;            /* of the fault, CLOCK_MONOTONIC */
	uint64_t address, token;
	uint32_t pid, task, stack;
	uint32_t weight;             /* faults that it stands for */
};

/* The page, with those that it stands for, has stayed (bytes > 0) or, having stayed, is gone (< 0). */
typedef void grown_change(void *arg, const struct grown_page *p, int64_t bytes);

int grown_new(int tokens, struct grown **ret_grown); /* the map; stays the caller's */
void grown_free(struct grown *g);
void grown_add(struct grown *g, const struct grown_page *p);
void grown_look(struct grown *g, uint64_t now_ns, grown_change *each, void *arg); /* about ten times a second */
