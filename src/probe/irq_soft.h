/* SPDX-License-Identifier: BSD-2-Clause */
/* Soft interrupts of each CPU. The kernel counts them itself; their hooks, which would run several times for each packet, are
 * attached for a tenth of the time, at random, and tell how long one takes. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "irq.h"

struct bpf_object;
struct irq_soft;
struct kept_files;

/* With the hooks of the object, which has been loaded. Errors: negative errno, with a message. */
int irq_soft_new(struct bpf_object *object, uint32_t cpu_count, struct irq_soft **ret_soft);
void irq_soft_free(struct irq_soft *s);
void irq_soft_detach(struct irq_soft *s);

/* Some ten times a second: attaches and detaches the hooks when it is time to. */
void irq_soft_tick(struct irq_soft *s);

/* The recording begins, or a slice ends: reads the counts and plans the next look. */
void irq_soft_count(struct kept_files *files, struct irq_soft *s);

/* Adds what this CPU's have run and taken between the last two counts; timed: all that the hooks have seen there so far. */
void irq_soft_add(struct irq_soft *s, uint32_t cpu, const struct irq_time timed[SOFTIRQS], struct irq_time sum[SOFTIRQS]);

extern const char *const softirq_names[SOFTIRQS];
