/* SPDX-License-Identifier: BSD-2-Clause */
/* Perf events that sample a CPU, whatever runs there. */
#pragma once
#include <stdint.h>

struct bpf_link;
struct bpf_program;

/* A descriptor, or a negative errno without a message. */
int cpu_event_open(uint32_t type, uint64_t config, uint64_t frequency, int cpu);
/* The program runs `frequency` times a second at most; the link is NULL on error. The name is for the message. */
int cpu_event_attach(const struct bpf_program *program, uint32_t type, uint64_t config, uint64_t frequency, int cpu,
		     const char *name, struct bpf_link **ret_link);
