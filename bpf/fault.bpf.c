// SPDX-License-Identifier: BSD-2-Clause
/* Page faults, drawn one in a power of two at each place of each thread: what faults a lot is drawn rarely, what faults now
 * and then is not lost beside it. Each drawn one stands for as many as the power says, so that no place is favoured. */
#include "current.bpf.h"

enum {
	PROTECTION = 1,
	SITES = 1 << 13,     /* of calls, and as many of callers */
	MOST_SHIFT = 15,
	PASSED = 1024, /* in a slice at a place, about: of these the callers are looked at; */
	DRAWN = 16,   /* and of each caller so many are drawn, */
	CPU_DRAWN = 50, /* but when there are more on a CPU, */
	FEW = 8,       /* less of those callers of which so many were drawn already */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct fault_record)); /* less what the host cuts off */
} per_cpu_capture SEC(".maps");

/* Two places that meet here make drawing less apt, never wrong. */
struct fault_site {
	u32 key;
	u32 epoch; /* slice of what follows */
	u32 count;
	u32 shift; /* one in 1 << so many of all faults is taken, from the next block on */
	u32 weight, left, pick; /* faults of this block, those still to come, and which of them is the one to take */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * SITES);
	__type(key, u32);
	__type(value, struct fault_site);
} fault_sites SEC(".maps");

/* Pages that were drawn, by hash: a page that faults once more was given back meanwhile. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << FAULT_PAGE_BITS);
	__type(key, u32);
	__type(value, u64);
} fault_pages SEC(".maps");

static __always_inline u64 *page_of(u32 tgid, u64 address)
{
	u32 index = fault_page_index(tgid, address);

	return bpf_map_lookup_elem(&fault_pages, &index);
}

static __always_inline u64 token_of(u32 tgid, u64 address, u64 now)
{
	return fault_page_hash(tgid, address) << 32 | (u32)now;
}

static __always_inline void forget_page(u32 tgid, u64 address)
{
	u64 *page = page_of(tgid, address);

	if (page && *page >> 32 == token_of(tgid, address, 0) >> 32)
		*page = 0;
}

/* Less rare in a new slice, when there were few in the last one: known before anything is drawn, so that weights are right. */
static __always_inline void begin_slice(struct fault_site *site, u32 epoch, u32 wanted)
{
	u32 less = (site->count < wanted / 2) + 2 * (site->count < wanted / 8) + 4 * (epoch - site->epoch > 1);

	site->shift -= site->shift < less ? site->shift : less;
	site->epoch = epoch;
	site->count = 0;
}

/* A place that has not been drawn in this slice gives way to another one. So a crowd of new processes, whose places are all new,
 * is drawn as rarely as the CPU's shift says, whoever was here before. */
static __always_inline struct fault_site *site_of(u32 hash, u32 tid, bool of_caller, u32 epoch, u32 first_shift, u32 wanted)
{
	u32 key = (hash ^ tid) * 0x9e3779b1u, index = (key >> 16 & (SITES - 1)) + of_caller * SITES;
	struct fault_site *site = bpf_map_lookup_elem(&fault_sites, &index);

	if (!site)
		return NULL;
	if (site->key != key && (site->epoch != epoch || !site->count)) {
		site->key = key;
		site->shift = first_shift;
		site->epoch = epoch;
		site->count = site->left = 0;
	}
	if (site->epoch != epoch)
		begin_slice(site, epoch, wanted);
	return site;
}

/* One of each block, any with the same chance: what is drawn says far more of how many there were than if each fault took its
 * own chance. A block that has become too long is left half way, which is no less right. Those that come here stand for
 * 1 << thinned each. */
static __always_inline bool drawn(struct cpu_slot *cpu, struct fault_site *site, u32 thinned)
{
	u32 shift = site->shift > thinned ? site->shift - thinned : 0;

	if (site->left - 1 >= site->weight || site->weight >> (shift & 15) > 1) { /* another CPU may have been here, too */
		/* The high bits of a product are the random ones. */
		cpu->random = cpu->random * 6364136223846793005ull + 1442695040888963407ull;
		site->weight = site->left = 1u << (shift & 15);
		site->pick = (u32)(cpu->random >> 40) & (site->weight - 1);
	}
	return --site->left == site->pick;
}

/* Rarer from now on, when there are many, but never so soon that a single one stood for most of a slice. */
static __always_inline u32 take_one(struct fault_site *site, u32 wanted, bool crowded)
{
	u32 weight = site->weight;

	if (++site->count >= (crowded ? FEW : 2 * wanted)) {
		site->shift += site->shift < MOST_SHIFT;
		site->count /= 2;
	}
	return weight;
}

/* Places are told apart by their callers, too, because the C library touches memory for many of them; that costs more, so
 * the places are thinned out before. Returns what the fault stands for; 0: it is not drawn. */
static __always_inline u32 draw(struct task_struct *task, const struct task_slot *slot, struct cpu_slot *cpu)
{
	struct entry entry = task_entry(task, config.has_task_registers);
	u32 hash = entry.site, epoch = cpu->fault_epoch;
	struct fault_site *site = site_of(hash, slot->tid, false, epoch, 0, PASSED);

	if (!site || !drawn(cpu, site, 0))
		return 0;
	u32 thinned = site->shift, first = cpu->fault_shift + cpu->fault_count / CPU_DRAWN;
	u32 weight = take_one(site, PASSED, false);
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	if (mm)
		hash = site_of_callers(hash, entry.sp, BPF_CORE_READ(mm, start_code), BPF_CORE_READ(mm, end_code));
	site = site_of(hash, slot->tid, true, epoch, first > MOST_SHIFT ? MOST_SHIFT : first, DRAWN);
	if (!site || !drawn(cpu, site, thinned))
		return 0;
	return weight * take_one(site, DRAWN, ++cpu->fault_count > CPU_DRAWN);
}

static __always_inline void tell_whether_major(struct task_struct *task, struct task_slot *slot, struct cpu_slot *cpu)
{
	struct record r;
	u64 drawn_ns = slot->fault_drawn_ns;

	slot->fault_drawn_ns = 0;
	if ((u32)BPF_CORE_READ(task, maj_flt) == slot->fault_majors)
		return;
	fill_head(&r, RECORD_FAULT_MAJOR, drawn_ns, task);
	if (bpf_ringbuf_output(&records, &r, sizeof(r), ring_flags()))
		count(cpu, LOST_RECORDS);
}

static __always_inline void send(void *ctx, struct task_struct *task, struct task_slot *slot, struct cpu_slot *cpu,
				 u32 weight, u64 address, u64 error)
{
	u32 index = bpf_get_smp_processor_id();
	struct fault_record *r = bpf_map_lookup_elem(&per_cpu_capture, &index);
	u64 now = bpf_ktime_get_ns();

	if (!r)
		return;
	slot->fault_drawn_ns = now;
	slot->fault_majors = (u32)BPF_CORE_READ(task, maj_flt);
	fill_head(&r->head, RECORD_FAULT, now, task);
	r->address = address;
	r->token = token_of(slot->tgid, address, now);
	u64 *page = page_of(slot->tgid, address);
	if (page)
		*page = r->token;
	r->weight = weight;
	r->present = error & PROTECTION;
	capture_current(ctx, &r->stack, task, PLACE_FAULT, true);
	u64 size = __builtin_offsetof(struct fault_record, stack) + stack_capture_size(&r->stack);
	if (size <= capture_room(sizeof(*r)) && bpf_ringbuf_output(&records, r, size, ring_flags()))
		count(cpu, LOST_RECORDS);
}

static __noinline int take(void *ctx, u64 address, u64 error)
{
	struct task_struct *task = current_task();
	struct task_slot *slot = task_find((u32)bpf_get_current_pid_tgid());
	struct cpu_slot *cpu = this_cpu();

	if (!slot || !cpu)
		return 0;
	slot->faults++;
	if (slot->fault_drawn_ns)
		tell_whether_major(task, slot, cpu);
	if (!selected(slot))
		return 0;
	if (!(error & PROTECTION))
		forget_page(slot->tgid, address);
	u32 weight = draw(task, slot, cpu);
	if (weight)
		send(ctx, task, slot, cpu, weight, address, error);
	return 0;
}

/* Most faults are not drawn: the clock is read for those that are timed alone. */
static __always_inline int timed_take(void *ctx, u64 address, u64 error)
{
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_FAULT);

	take(ctx, address, error);
	cost_end(cpu, COST_FAULT, start);
	return 0;
}

SEC("tp_btf/page_fault_user")
int page_fault_user(u64 *ctx)
{
	return timed_take(ctx, ctx[0], ctx[2]);
}

/* The kernel touches memory of the thread: what a system call reads into is new, too. Where it may not fault, as in
 * perfscope's own copies of stacks, nothing comes of it. */
SEC("tp_btf/page_fault_kernel")
int page_fault_kernel(u64 *ctx)
{
	if ((s64)ctx[0] < 0 || BPF_CORE_READ(current_task(), pagefault_disabled))
		return 0;
	return timed_take(ctx, ctx[0], ctx[2]);
}
