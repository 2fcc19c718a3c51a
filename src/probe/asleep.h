/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that sleep on: their waits began before the recording or were not drawn, so that no switch has told their stacks. Those are
 * read while the waits last, without stopping anybody, some at a time. */
#pragma once
#include "capture.h"

struct asleep;
struct map;

struct asleep *asleep_new(struct capture *c);
void asleep_free(struct asleep *a);

/* A wait that goes on, told like one that has just begun. Waits of one `place` have one stack; 0: it is like no other. Returns whether
 * its stack is to be unwound. */
typedef bool asleep_found(void *arg, struct thread *thread, const struct wait_record *r, uint64_t place);

/* Each time the rings have been emptied: looks for such waits, but for threads that are keys of `known`. */
void asleep_drained(struct asleep *a, const struct map *known, asleep_found *found, void *arg);
