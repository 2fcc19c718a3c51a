// SPDX-License-Identifier: BSD-2-Clause
/* How long each CPU is in hard and soft interrupts, by number. The hooks of soft ones are attached now and then only; hard ones are
 * counted, and timed as often as they are few. */
#include "probe.bpf.h"
#include "irq.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct irq_cpu);
} per_cpu_scratch SEC(".maps");

enum {
	DRAWN_AT_ONCE = 64,    /* so many hard interrupts are drawn before their rate is looked at */
	LEAST_SHARE_SHIFT = 6, /* one in 64 */
};

#define DRAWN_GAP_NS 500000ull /* between two that are drawn, on a CPU: 2,000 a second */

u64 look_start_ns; /* user space sets it before it attaches them: what began earlier is not timed */

static __always_inline struct irq_cpu *this_irq_cpu(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&per_cpu_scratch, &cpu);
}

static __always_inline void add(struct irq_time *time, u64 ns)
{
	time->ns += ns;
	time->count++;
}

SEC("raw_tp/softirq_entry")
int softirq_entry(u64 *ctx)
{
	struct irq_cpu *irq = this_irq_cpu();

	if (!irq)
		return 0;
	irq->soft_since = bpf_ktime_get_ns();
	irq->hard_in_soft = 0;
	return 0;
}

SEC("raw_tp/softirq_exit")
int softirq_exit(u64 *ctx)
{
	struct irq_cpu *irq = this_irq_cpu();
	u32 vector = (u32)ctx[0];
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_IRQ, now);

	if (irq && irq->soft_since && irq->soft_since >= look_start_ns && vector < SOFTIRQS)
		add(&irq->soft[vector], now - irq->soft_since - irq->hard_in_soft);
	if (irq)
		irq->soft_since = 0;
	cost_end(cpu, COST_IRQ, start);
	return 0;
}

/* Every one is timed as long as there are few; else so few, drawn by chance, that it costs little. */
static __always_inline bool draw_hard(struct irq_cpu *irq, struct cpu_slot *cpu)
{
	return !irq->hard_shift || !cpu || !(random_of(cpu) & ((1u << (irq->hard_shift & 31)) - 1));
}

static __always_inline void adapt_hard(struct irq_cpu *irq, u64 now)
{
	u64 ns = now - irq->hard_drawn_since;

	if (++irq->hard_drawn < DRAWN_AT_ONCE)
		return;
	if (ns < DRAWN_AT_ONCE * DRAWN_GAP_NS && irq->hard_shift < LEAST_SHARE_SHIFT)
		irq->hard_shift++;
	else if (ns > 4 * DRAWN_AT_ONCE * DRAWN_GAP_NS && irq->hard_shift)
		irq->hard_shift--;
	irq->hard_drawn = 0;
	irq->hard_drawn_since = now;
}

static __always_inline int hard_entry(void)
{
	struct irq_cpu *irq = this_irq_cpu();
	struct cpu_slot *cpu = this_cpu();

	if (!irq)
		return 0;
	bool drawn = draw_hard(irq, cpu);
	irq->hard_weight = drawn ? 1u << (irq->hard_shift & 31) : 0;
	/* A soft interrupt that is being timed must know of all. */
	irq->hard_since = drawn || irq->soft_since ? bpf_ktime_get_ns() : 0;
	return 0;
}

SEC("tp_btf/irq_handler_entry")
int irq_handler_entry(u64 *ctx)
{
	return hard_entry();
}

static __always_inline int hard_exit(u32 number)
{
	struct irq_cpu *irq = this_irq_cpu();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_IRQ);

	barrier_var(number); /* else the bound is known of another copy than the one that is used */
	if (irq && number < IRQS) {
		irq->hard[number].count++;
		if (irq->hard_since) {
			u64 now = bpf_ktime_get_ns(), ns = now - irq->hard_since;

			irq->hard[number].ns += ns * irq->hard_weight;
			irq->hard_in_soft += ns;
			irq->hard_since = 0;
			if (irq->hard_weight)
				adapt_hard(irq, now);
		}
	}
	cost_end(cpu, COST_IRQ, start);
	return 0;
}

SEC("tp_btf/irq_handler_exit")
int irq_handler_exit(u64 *ctx)
{
	u32 number = (u32)ctx[0];

	if (number >= IRQ_TIMER)
		number = IRQ_TIMER - 1;
	return hard_exit(number);
}

/* The CPU's own timer is no handler of an interrupt's number, and where nothing else keeps it busy it is most of what
 * interrupts take. x86 only. */
SEC("?tp_btf/local_timer_entry")
int local_timer_entry(u64 *ctx)
{
	return hard_entry();
}

SEC("?tp_btf/local_timer_exit")
int local_timer_exit(u64 *ctx)
{
	return hard_exit(IRQ_TIMER);
}
