/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps what perfscope costs under a bound: once a second it looks at what its own processes and its BPF programs took, and
 * takes fewer stacks, switches the dearest probes off, and at last watches switches in a part of the time only. When
 * the storm is over it goes back, step by step. Probes that an option asked for stay, and what their programs take does not count:
 * nothing else shall go for their sake. */
#pragma once
#include <stdint.h>

struct capture;
struct governor;
struct host;
struct loop;

/* `most` is a share of what all CPUs together can do, 0 to 1. Begins with the recording. */
int governor_new(struct capture *c, struct host *h, struct loop *l, double most, struct governor **ret_governor);
void governor_free(struct governor *g); /* NULL is fine */

/* The i-th thing that can be made to cost less, and how much of it is left: 1 all, 0 it is off. NULL behind the last one. */
const char *governor_dial(const struct governor *g, unsigned i, double *ret_share);
