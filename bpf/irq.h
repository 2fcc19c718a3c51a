/* SPDX-License-Identifier: BSD-2-Clause */
/* What the irq probe's two sides share. */
#pragma once
#include "wire.h"

enum {
	SOFTIRQS = 10,
	IRQS = 512, /* numbers from there on are counted as the last but one */
	IRQ_TIMER = IRQS - 1, /* the CPU's own timer, which has no number */
};

struct irq_time {
	u64 ns;
	u64 count;
};

/* One CPU's; totals that only grow. */
struct irq_cpu {
	u64 soft_since, hard_since; /* 0: in none */
	u64 hard_in_soft;           /* ns of hard interrupts within the soft one that runs */
	u64 hard_drawn_since;       /* when counting of those that are timed began */
	u32 hard_drawn, hard_shift; /* so many were since; one in 1 << hard_shift is */
	u32 hard_weight, unused;    /* the one that runs stands for so many */
	struct irq_time soft[SOFTIRQS];
	struct irq_time hard[IRQS];
};
