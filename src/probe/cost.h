/* SPDX-License-Identifier: BSD-2-Clause */
/* What perfscope itself takes: nanoseconds of CPU time so far, and memory. */
#pragma once
#include <stdint.h>

#include "wire.h"

struct capture;

#define ALL_COSTS (~0u)
/* Of probes that are there only because an option asked for them. */
#define ASKED_COSTS (1u << COST_SYSCALL | 1u << COST_SOFTIRQ | 1u << COST_DNS | 1u << COST_PMU)

/* What the programs of a kind do, for people. */
const char *cost_name(enum cost_of kind);

/* All of perfscope's processes that are alive. */
uint64_t cost_own_ns(const struct capture *c);
/* Their memory: what each has to itself, and once what they share with each other and with the files that are read. */
uint64_t cost_own_bytes(const struct capture *c);
/* Its BPF programs, of the kinds in the mask (1 << enum cost_of): extrapolated from the runs that are timed. */
uint64_t cost_bpf_ns(const struct capture *c, unsigned kinds);
struct cost cost_bpf_sum(const struct capture *c, enum cost_of kind); /* of all CPUs */
