/* SPDX-License-Identifier: BSD-2-Clause */
/* Time. Everything that is captured carries CLOCK_MONOTONIC nanoseconds, the clock that BPF's
 * bpf_ktime_get_ns() reads; wall-clock time is added when something is shown. */
#pragma once
#include <stdint.h>

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

uint64_t clock_mono_ns(void);
uint64_t clock_wall_ns(void);    /* since 1970, UTC */
uint64_t clock_cpu_ns(void);     /* CPU time of this process, all threads, user and system */
void clock_format_utc(uint64_t wall_ns, char text[21]); /* 2026-01-01T00:00:00Z */
