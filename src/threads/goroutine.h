/* SPDX-License-Identifier: BSD-2-Clause */
/* Goroutines of a Go program, from its runtime's own list, which is found by its shape: symbols are not needed. On
 * x86-64; tried with Go 1.19, and what is known to be elsewhere in later versions is looked for there, too. */
#pragma once
#include "namer.h"
#include "space.h"

struct threads;

enum { GOROUTINE_FRAMES = 64, GOROUTINE_FUNCTIONS = 16 };

enum goroutine_status { GO_IDLE, GO_RUNNABLE, GO_RUNNING, GO_SYSCALL, GO_WAITING, GO_DEAD = 6, GO_STATUSES = 10 };

struct goroutine {
	uint64_t at, id;
	uint64_t low, high; /* its stack */
	uint64_t sp;        /* where that ends; while it runs, or is in a system call: as it was once */
	uint32_t status;    /* enum goroutine_status */
	uint64_t waits_on;  /* semaphore of a lock, or channel; 0 unknown */
	bool at_channel;    /* it is the latter */
	uint64_t look;      /* hash of its stack */
	size_t frame_count; /* 0: it runs */
	uint64_t frames[GOROUTINE_FRAMES];   /* addresses, leaf first */
	uint32_t places[GOROUTINE_FRAMES];   /* as the namer counts */
	uint64_t functions[GOROUTINE_FUNCTIONS]; /* that it has the address of on its stack, as of what it has deferred */
	size_t function_count;
};

struct goroutines {
	const struct space *space;
	uint64_t list; /* where its slice of them is */
	unsigned layout;
	uint32_t tries; /* that are left to find it */
	struct goroutine *items;
	size_t count;
	bool cut; /* there are more */
};

/* False: no program of Go, or none that is understood. */
bool goroutines_read(struct goroutines *g, const struct space *s);
void goroutines_done(struct goroutines *g);
/* Whether it has not moved since. */
bool goroutine_keeps_still(const struct goroutines *g, const struct goroutine *one);

/* Which of them have frames that go on to give back a mutex: an array of as many. */
bool *goroutines_that_unlock(const struct goroutines *g, struct namer *n);

/* As items of a snapshot: names, what they wait for, and who may hold that. */
void goroutines_describe(struct goroutines *g, struct namer *n, struct threads *t);
