/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of unwinding through the symbolizer work with: a symbolizer that notes its
 * answers, and workloads (tests/unwind) that stand still. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture.h"
#include "clock.h"
#include "symbolizer.h"

#define PATIENCE (30 * NS_PER_S)
#define WHOLE (512u << 10)
#define COOKIES 65536

struct seen {
	unsigned answers, wrong; /* wrong: unknown cookies, or answered twice */
	unsigned char *times; /* by cookie */
	unsigned status[UNWIND_STATUSES], reason[UNWIND_REASONS];
	uint64_t last_cookie;
	size_t depth;
	uint64_t address[UNWIND_FRAMES_MAX];
};

struct bench {
	struct symbolizer *s;
	struct seen seen;
	char cache[64]; /* directory for tables; "": none */
	uint64_t table_memory, unused_ns;
	bool remembers;
	bool with_build_ids; /* as the kernel tells them */
};

void bench_open(struct bench *b); /* ends the test when it cannot be had */
void bench_close(struct bench *b);

/* A workload that stands at its breakpoint. */
struct subject {
	pid_t pid;
	struct capture *capture;
	struct unwind_output expected; /* what unwinding in this process says */
};

bool subject_start(struct subject *x, const char *variant, const char *mode, const char *depth);
void subject_end(struct subject *x);

int define_space(struct bench *b, const struct subject *x,
		 uint32_t space); /* its mappings, as /proc tells them */
int ask(struct bench *b, const struct subject *x, uint32_t space, uint64_t cookie);
bool as_expected(const struct bench *b, const struct subject *x); /* the last answer */
