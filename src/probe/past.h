/* SPDX-License-Identifier: BSD-2-Clause */
/* What threads did: waits that are over, whose stacks are known, and samples of what ran. They tell who ended each wait,
 * and what that one did meanwhile. Bounded: the oldest are forgotten. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "hash.h"

struct past_wait {
	uint32_t task, stack, resource;
	uint32_t site;               /* of the call; 0: the stack is whole */
	uint32_t weight;             /* 256ths of waits that it stands for */
	uint32_t waker, waker_stack; /* waker 0: an interrupt, or unknown */
	bool woken;                  /* it is known what ended it */
	uint64_t since_ns, end_ns;
};

struct capture;
struct past;

struct past *past_new(uint32_t cpus);
void past_free(struct past *p); /* NULL is fine */

/* A thread's waits do not overlap, but may come in any order. */
void past_add_wait(struct past *p, const struct past_wait *wait);
/* The thread waited for a CPU; it stands for so many 256ths of such waits. */
void past_add_queue(struct past *p, uint32_t task, uint32_t weight, uint64_t since_ns, uint64_t end_ns);
/* A sample of a thread that runs stands for `ns`. */
void past_add_sample(struct past *p, uint32_t task, uint32_t stack, uint64_t time_ns, uint64_t ns);

/* The slice closes: writes edges of the waits added since the last one. Metric `waker`: who ended them; the three that
 * follow it: where that one ran, where it waited, and how long it waited for a CPU meanwhile. `stacks` has whole stacks by site_key(). */
void past_write(struct past *p, struct capture *c, uint32_t waker, const struct map *stacks);

static inline uint64_t site_key(uint32_t task, uint32_t site)
{
	return (uint64_t)task << 32 | site;
}

/* Of a wait that was not drawn only the kernel's part is there, `partial`; the same call may have been drawn since. Site 0: it was drawn. */
static inline uint32_t site_stack(const struct map *stacks, uint32_t task, uint32_t site, uint32_t partial)
{
	uint64_t stack;

	return site && map_get(stacks, site_key(task, site), &stack) ? (uint32_t)stack : partial;
}

DEFINE_CLEANUP(struct past *, past_free)
