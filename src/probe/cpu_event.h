/* SPDX-License-Identifier: BSD-2-Clause */
/* A perf event that samples each CPU that is recorded, whatever runs there. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct bpf_link;
struct bpf_program;
struct capture;

struct cpu_events {
	const struct bpf_program *program;
	const char *name; /* for messages */
	uint32_t type;    /* as in perf_event_attr */
	uint64_t config;
	uint64_t period;  /* 0: as often as the capture samples, else each so-manieth */
	struct bpf_link **links; /* by CPU; NULL: not attached, then nothing but attaching does anything */
};

/* A descriptor, or a negative errno without a message. */
int cpu_event_open(uint32_t type, uint64_t config, uint64_t frequency, int cpu);

/* All fields but the last are the caller's. Negative errno with a message, and nothing attached, when a CPU cannot be sampled so. */
int cpu_events_attach(struct cpu_events *e, const struct capture *c);
void cpu_events_look(const struct cpu_events *e, const struct capture *c); /* tries again where it was not possible */
void cpu_events_changed(const struct cpu_events *e, const struct capture *c, int cpu, bool up);
void cpu_events_retune(const struct cpu_events *e, const struct capture *c); /* to the frequency of now */
void cpu_events_detach(struct cpu_events *e, const struct capture *c);
