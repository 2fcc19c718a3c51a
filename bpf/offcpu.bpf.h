/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks of waits within a budget. A wait is drawn as it begins, with a probability of expected length
 * over interval, and stands for 1/p of its like; one that outlasts the interval stands for itself, drawn
 * or not. One that has become much longer than expected is drawn again when it is over, by the length that it has:
 * else a single surprise, drawn with the chance of a short wait, would stand for more time than there was. So no wait
 * is favoured, long ones are never lost, and the interval, which grows and shrinks to keep the budget, alone sets the
 * cost. All this belongs to the switch hook: the thread's account is at hand there. */
#pragma once
#include "current.bpf.h"

enum {
	SITE_COUNT = 1 << 16,     /* call sites whose waits' lengths are remembered */
	EXPECTED_SHIFT = 6,       /* kept in units of 64 ns */
	SURPRISE = 4,             /* so many times the average, */
	SURPRISE_UNITS = 1600,    /* and a tenth of a millisecond */
	IDLE_SHIFT = 3,           /* waits for work are drawn so much more rarely */
	MOST_UNITS = 0x7ffffff,   /* of a wait are remembered */
	MIXED_SHARE = 16,         /* a kind of waits is told apart until the short ones have taken so many times as long */
};

/* An event loop is to wait for nothing but its poll: what else it waits for so long is drawn, unless there is a storm. */
#define LOOP_INTERVAL_NS 20000000ull
#define STORM_INTERVAL_NS 2000000000ull

#define LEAST_SURPRISE_NS 50000ull /* shorter waits are not drawn again: they have little weight */

#define LEAST_QUEUE_NS 100000ull /* shorter waits for a CPU hold nobody up */

#define FIRST_GUESS_NS 1000000ull
#define SHORTEST_INTERVAL_NS 20000ull
#define LONGEST_INTERVAL_NS (1ull << 36)

#define GROUP (1u << 28)

/* Without keys: two sites that meet in one place make drawing less apt, never wrong. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SITE_COUNT);
	__type(key, u32);
	__type(value, struct wait_site);
} wait_sites SEC(".maps");

/* One a CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct wait_record)); /* less what the host cuts off */
} per_cpu_capture SEC(".maps");

static __always_inline struct wait_record *scratch_record(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&per_cpu_capture, &cpu);
}

static __always_inline u32 site_index(const struct task_slot *slot)
{
	u32 index = ((slot->wait_site ^ slot->tid) * 0x9e3779b1u) >> 16;

	return index ? index : 1; /* 0 says none */
}

static __always_inline struct wait_site *site_at(u32 index)
{
	return bpf_map_lookup_elem(&wait_sites, &index);
}

/* The site of the wait that begins. It lies with the thread, whose next wait is most likely there again: the table, in which each
 * thread has other places, would not be in the cache. */
static __always_inline struct wait_site *enter_site(struct task_slot *slot)
{
	u32 index = site_index(slot), before = slot->site_place;

	if (index == before)
		return &slot->site;
	struct wait_site *site = site_at(index), *left = before ? site_at(before) : NULL;
	if (!site)
		return NULL;
	if (left)
		*left = slot->site;
	slot->site = *site;
	slot->site_place = index;
	return &slot->site;
}

/* One is being taken: sooner than the budget wants makes the next one rarer, later less rare. */
static __always_inline void spend(struct budget *b, u64 wanted, u64 now)
{
	u64 gap = now - b->taken_ns, interval = b->interval_ns;
	u64 step = interval >> 14; /* times 1024 below: a sixteenth */

	/* They come in bursts, as one wait ends another: the long gaps between them must count. */
	if (gap > 8 * wanted)
		gap = 8 * wanted;
	if (gap < wanted)
		interval += step * ((wanted - gap) * 1024 / wanted);
	else
		interval -= step * ((gap - wanted) * 1024 / wanted);
	if (interval < SHORTEST_INTERVAL_NS)
		interval = SHORTEST_INTERVAL_NS;
	if (interval > LONGEST_INTERVAL_NS)
		interval = LONGEST_INTERVAL_NS;
	b->interval_ns = interval;
	b->taken_ns = now;
}

static __always_inline u64 current_interval(struct budget *b, u64 wanted, u64 now)
{
	/* User space begins with one; then, when nothing has been drawn for long: */
	if (b->interval_ns && now - b->taken_ns > 4 * wanted)
		spend(b, wanted, now);
	return b->interval_ns;
}

static __always_inline bool waits_for_work(u8 state)
{
	return state == STATE_POLL || state == STATE_SLEEPING || state == STATE_CHILD || state == STATE_SIGNAL;
}

static __always_inline u32 weight_of(u64 interval, u64 ns, u32 times)
{
	u64 weight = interval * WAIT_WEIGHT_ONE / ns * times;

	return weight >= WAIT_DRAWN_LATE ? WAIT_DRAWN_LATE - 1 : weight;
}

/* 0: not drawn; else what it stands for, in units of 1/WAIT_WEIGHT_ONE. */
static __always_inline u32 draw(struct cpu_slot *cpu, u64 interval, u64 ns)
{
	if (ns >= interval)
		return WAIT_WEIGHT_ONE;
	return random_of(cpu) * interval < ns << 24 ? weight_of(interval, ns, 1) : 0;
}

static __always_inline u32 new_pick(struct cpu_slot *cpu)
{
	return 1 + (random_of(cpu) << 4); /* of 24 bits */
}

/* The same among the waits of a site. */
static __always_inline u32 draw_at(struct wait_site *site, struct cpu_slot *cpu, u64 interval, u64 ns)
{
	if (ns >= interval)
		return WAIT_WEIGHT_ONE;
	if (!site->pick)
		site->pick = new_pick(cpu);
	u32 before = site->passed, after = before + (u32)((ns << 28) / interval);
	u32 times = before < site->pick && after >= site->pick;
	if (after >= GROUP) {
		after -= GROUP;
		site->pick = new_pick(cpu);
		times += after >= site->pick;
	}
	site->passed = after;
	return times ? weight_of(interval, ns, times) : 0;
}

static __always_inline void send_wait(struct wait_record *r, struct cpu_slot *cpu)
{
	u64 size = __builtin_offsetof(struct wait_record, stack) + stack_capture_size(&r->stack);

	if (size > capture_room(sizeof(*r)))
		return;
	if (bpf_ringbuf_output(&records, r, size, ring_flags()))
		count(cpu, LOST_RECORDS);
}

static __always_inline void fill_wait(struct wait_record *r, enum record_kind kind, u64 now, struct task_struct *task,
				      const struct task_slot *slot, u8 state)
{
	fill_head(&r->head, kind, now, task);
	r->since_ns = slot->since_ns;
	r->key = slot->wait_key;
	r->weight = slot->wait_weight;
	r->site = slot->wait_site;
	r->state = state;
	r->key_kind = slot->wait_key_kind;
	r->other_tid = r->other_tgid = 0;
}

/* By what a wait from this site is thought to take. */
static __always_inline u32 draw_wait(struct task_struct *task, struct task_slot *slot, struct cpu_slot *cpu, u64 interval)
{
	struct wait_site *site = enter_site(slot);
	struct mm_struct *mm = task->mm;

	slot->mixed_at = 0;
	if (mm && site && site->mixed) {
		slot->mixed_at = slot->site_place;
		slot->wait_site = site_of_callers(slot->wait_site, task_entry(task, config.has_task_registers).sp,
						  mm->start_code, mm->end_code);
		site = enter_site(slot);
	}
	if (!site)
		return 0;
	u64 units = site->expected;
	return draw_at(site, cpu, interval, units ? units << EXPECTED_SHIFT : FIRST_GUESS_NS);
}

/* The thread has just blocked: its state and since_ns are set. */
static __noinline int begin_wait(void *ctx, struct task_struct *task, struct task_slot *slot, struct cpu_slot *cpu)
{
	struct wait_record *r;
	u8 state;

	if (!slot || !cpu)
		return 0;
	state = slot->state;
	slot->wait_weight = 0;
	slot->wait_interval_ns = 0;
	if (state < STATE_SLEEPING || state == STATE_IDLE || state >= STATE_STOPPED || !selected(slot))
		return 0;
	u64 interval = current_interval(&cpu->waits, cpu->wait_gap_ns, slot->since_ns);
	if (slot->progress_ns && !slot->for_many && interval < STORM_INTERVAL_NS) {
		if (interval > LOOP_INTERVAL_NS)
			interval = LOOP_INTERVAL_NS;
	} else if (waits_for_work(state)) {
		interval <<= IDLE_SHIFT;
	}
	slot->wait_interval_ns = interval;
	if (!interval)
		return 0;
	slot->wait_weight = draw_wait(task, slot, cpu, interval);
	if (!slot->wait_weight)
		return 0;
	r = scratch_record();
	if (!r)
		return 0;
	spend(&cpu->waits, cpu->wait_gap_ns, slot->since_ns);
	fill_wait(r, RECORD_WAIT_BEGIN, slot->since_ns, task, slot, state);
	capture_current(ctx, &r->stack, task, PLACE_SCHEDULE, true);
	send_wait(r, cpu);
	return 0;
}

/* One thread at a time is visited: what is written of it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, __builtin_offsetof(struct wait_record, stack.stack) + sizeof(struct pt_regs)); /* entry_registers() */
} visited SEC(".maps");

/* Whoever wants to read the memory of a process waits for whoever changes its address space, or wants to: perhaps for ever. */
static __always_inline bool space_changes(struct task_struct *task)
{
	return !bpf_core_field_exists(task->mm->mmap_lock.count) || BPF_CORE_READ(task, mm, mmap_lock.count.counter) & 3;
}

/* Where the user stack lies that is to be copied. */
static __always_inline void point_to_stack(struct stack_capture *s, struct task_struct *task)
{
	if (!BPF_CORE_READ(task, mm) || space_changes(task) || !entry_registers(task, s))
		return;
	u64 top = stack_top(task, s->registers.sp);

	s->stack_start = s->registers.sp & ~(u64)(PAGE_BYTES - 1);
	s->present = 0;
	s->pages = config.stack_pages;
	s->used = top ? top - s->registers.sp : 0;
	if (top && (top - s->stack_start + PAGE_BYTES - 1) / PAGE_BYTES < s->pages)
		s->pages = (top - s->stack_start + PAGE_BYTES - 1) / PAGE_BYTES;
}

/* The wait that the thread is in goes on, and nothing is known of it but when it began. From now on it is as if it had been drawn, and
 * for itself alone. What the thread does meanwhile, user space sees in the slot. */
static __always_inline u64 visit_wait(struct task_struct *task, struct task_slot *slot, struct wait_record *r)
{
	u8 state = slot->state;

	if (task->on_cpu || slot->woken_ns || state < STATE_SLEEPING || state >= STATE_STOPPED || state == STATE_IDLE || !selected(slot))
		return 0;
	r->stack.pages = r->stack.user_depth = r->stack.kernel_depth = r->stack.python_depth = 0;
	r->outlasted = 0;
	if (!config.exclude_kernel) {
		long bytes = bpf_get_task_stack(task, r->stack.frames, STACK_BYTES, 0);

		r->stack.kernel_depth = bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
	}
	if (!(task->flags & (FLAG_KTHREAD | FLAG_IO_WORKER | FLAG_USER_WORKER)))
		point_to_stack(&r->stack, task);
	slot->wait_weight = WAIT_WEIGHT_ONE;
	slot->wait_interval_ns = 1;
	fill_wait(r, RECORD_WAIT_BEGIN, bpf_ktime_get_ns(), task, slot, state);
	r->thread_pointer = BPF_CORE_READ(task, THREAD_POINTER);
	return __builtin_offsetof(struct wait_record, stack.frames) + (r->stack.kernel_depth & 127) * sizeof(u64);
}

/* A wait was told by its callers: a long one is a reason to go on with that, short ones use it up. */
static __always_inline void keep_mixed(struct wait_site *site, u32 units)
{
	if (units <= SURPRISE_UNITS)
		site->mixed = site->mixed > units ? site->mixed - units : 0;
	else if (site->mixed < units * MIXED_SHARE)
		site->mixed = units * MIXED_SHARE;
}

static __always_inline void learn(struct task_slot *slot, u64 ns)
{
	u32 units = ns >> EXPECTED_SHIFT < MOST_UNITS ? ns >> EXPECTED_SHIFT : MOST_UNITS;
	struct wait_site *site = &slot->site, *mixed = slot->mixed_at ? site_at(slot->mixed_at) : NULL;

	if (mixed)
		keep_mixed(mixed, units);
	if (slot->site_place != site_index(slot))
		return;
	u32 average = site->expected;
	if (!mixed && average && units > SURPRISE_UNITS && units / SURPRISE > average)
		site->mixed = units * MIXED_SHARE;
	site->expected = average ? average - average / 4 + units / 4 + 1 : units + 1;
}

/* The thread's wait is over, at woken_ns; what the slot says of it is still there. */
static __noinline int end_wait(struct task_struct *task, struct task_slot *slot, struct cpu_slot *cpu, u64 woken_ns)
{
	u64 interval, ns;
	struct wait_record *r;

	if (!slot || !cpu)
		return 0;
	interval = slot->wait_interval_ns;
	ns = woken_ns - slot->since_ns;
	if (!interval)
		return 0;
	slot->wait_interval_ns = 0;
	learn(slot, ns);
	if (!slot->wait_weight && ns < interval)
		return 0;
	r = scratch_record();
	if (!r)
		return 0;
	fill_wait(r, RECORD_WAIT_END, woken_ns, task, slot, slot->state);
	r->outlasted = ns >= interval;
	r->stack.pages = r->stack.user_depth = r->stack.kernel_depth = r->stack.python_depth = 0;
	if ((!slot->wait_weight || slot->wait_weight & WAIT_DRAWN_LATE) && !config.exclude_kernel) {
		long bytes = bpf_get_task_stack(task, r->stack.frames, STACK_BYTES, 0);

		spend(&cpu->waits, cpu->wait_gap_ns, woken_ns);
		r->stack.kernel_depth = bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
	}
	slot->wait_weight = 0;
	send_wait(r, cpu);
	return 0;
}

/* The wait is over, and took `ns`, much longer than it was drawn for: now its chance is that of its length. One that was drawn stays
 * so, and stands for less; of the others some join it. */
static __always_inline void draw_again(struct task_slot *slot, struct cpu_slot *cpu, u64 ns)
{
	u64 interval = slot->wait_interval_ns, weight = slot->wait_weight, expected = FIRST_GUESS_NS;

	if (ns < LEAST_SURPRISE_NS || ns >= interval || !cpu)
		return;
	const struct wait_site *site = !weight && slot->site_place == site_index(slot) ? &slot->site : NULL;
	if (weight)
		expected = interval * WAIT_WEIGHT_ONE / weight;
	else if (site && site->expected)
		expected = (u64)site->expected << EXPECTED_SHIFT;
	if (ns <= SURPRISE * expected)
		return;
	if (weight)
		slot->wait_weight = weight_of(interval, ns, 1);
	else if (random_of(cpu) * (interval - expected) < (ns - expected) << 24)
		slot->wait_weight = weight_of(interval, ns, 1) | WAIT_DRAWN_LATE;
}

/* One that was drawn, or is longer than the interval. */
static __always_inline bool wants_waker(const struct task_slot *slot, u64 now)
{
	u64 interval = slot->wait_interval_ns;

	return slot->wait_weight || (interval && now - slot->since_ns >= interval);
}

/* Such a wait is ended here, by the thread that runs or by what has interrupted it. */
static __noinline int note_waker(void *ctx, struct task_struct *task, struct task_slot *slot, u64 now)
{
	struct task_struct *waker = current_task();
	u64 who = bpf_get_current_pid_tgid();
	struct wait_record *r = scratch_record();
	struct cpu_slot *cpu = this_cpu();
	/* In user code, or idle: it was interrupted. In a system call its frames tell, which user space reads. */
	bool interrupt = !(u32)who || (BPF_CORE_READ(waker, mm) && task_entry(waker, config.has_task_registers).syscall < 0);

	if (!r || !cpu || !slot)
		return 0;
	if (!interrupt) /* without a user stack it costs little */
		spend(&cpu->waits, cpu->wait_gap_ns, now);
	fill_wait(r, RECORD_WAKE, now, task, slot, slot->state);
	if (!interrupt) {
		r->other_tid = (u32)who;
		r->other_tgid = who >> 32;
	}
	capture_current(ctx, &r->stack, waker, PLACE_WAKE, !interrupt);
	send_wait(r, cpu);
	return 0;
}

/* The thread has got a CPU that it had waited for. Whoever waited for it meanwhile waited for that, too. */
static __noinline int note_queue(struct task_struct *task, struct task_slot *slot, struct cpu_slot *cpu, u64 since, u64 now)
{
	struct queue_record r = {};

	if (!slot || !cpu || !selected(slot))
		return 0;
	u64 interval = current_interval(&cpu->queues, cpu->wait_gap_ns, now);
	r.weight = interval ? draw(cpu, interval, now - since) : 0;
	if (!r.weight)
		return 0;
	spend(&cpu->queues, cpu->wait_gap_ns, now);
	fill_head(&r.head, RECORD_QUEUE, now, task);
	r.since_ns = since;
	if (bpf_ringbuf_output(&records, &r, sizeof(r), ring_flags()))
		count(cpu, LOST_RECORDS);
	return 0;
}
