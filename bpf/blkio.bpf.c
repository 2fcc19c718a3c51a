// SPDX-License-Identifier: BSD-2-Clause
/* Requests to disks: how long they wait in the queue, how long the device takes, and for whom. Devices that have no
 * queue of their own (dm, md, brd) are seen by their bios, with hooks that user space attaches when there is one. Who
 * dirties pages is known too: the kernel's threads write them later. Nothing is emitted: sums and histograms stay in
 * maps that user space reads once a slice. */
#include "probe.bpf.h"
#include "blkio.h"
#include "histogram.bpf.h"

enum { OPERATION_MASK = 0xff, REQUEST_READ = 0, REQUEST_WRITE = 1, REQUEST_FLUSH = 2, REQUEST_DISCARD = 3 };

enum {
	REQUEST_BITS = 14, /* places for requests, */
	REQUEST_PROBES = 8, /* of which each may be in so many next to each other */
	DEVICE_BITS = 10,
};

/* One that has been waiting for so long was merged into another: such a one never completes. */
#define MERGED_NS 60000000000ull

/* A request on its way. */
struct request_state {
	u64 key; /* its address; 0: the place is free */
	u64 insert_ns, issue_ns;
	u64 sector;
	u32 tid, tgid;
	u32 bytes;
	u32 alone;
} __attribute__((aligned(64)));

/* An array and no hash table of the kernel's: three events of each request look here, and those are five times as dear. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, (1 << REQUEST_BITS) + REQUEST_PROBES);
	__type(key, u32);
	__type(value, struct request_state);
} requests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, struct disk_key);
	__type(value, struct disk_io);
} disks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct disk_user_key);
	__type(value, struct disk_user);
} disk_users SEC(".maps");

/* How many are in each device at this moment. Without keys: two that meet here are taken to be alone less often. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << DEVICE_BITS);
	__type(key, u32);
	__type(value, u32);
} in_flight SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct dirtier_key);
	__type(value, u64); /* pages */
} dirtiers SEC(".maps");

const struct disk_io no_io SEC(".rodata.no_io") = {};

static __always_inline u32 operation_of(u32 flags)
{
	switch (flags & OPERATION_MASK) {
	case REQUEST_READ: return DISK_READ;
	case REQUEST_WRITE: return DISK_WRITE;
	case REQUEST_FLUSH: return DISK_FLUSH;
	case REQUEST_DISCARD: return DISK_DISCARD;
	default: return DISK_OTHER;
	}
}

static __always_inline u32 device_of(struct gendisk *disk)
{
	return disk ? (u32)BPF_CORE_READ(disk, major) << 20 | (u32)BPF_CORE_READ(disk, first_minor) : 0;
}

static __always_inline u32 *in_flight_of(u32 device)
{
	u32 index = device * 0x9e3779b1u >> (32 - DEVICE_BITS);

	return bpf_map_lookup_elem(&in_flight, &index);
}

/* One more is in the device. Returns how many are now. */
static __always_inline u32 arrive(u32 device)
{
	u32 *count = in_flight_of(device);

	if (!count)
		return 1;
	u32 were = *count; /* before 5.12 an atomic addition does not tell what it found */
	__sync_fetch_and_add(count, 1);
	return were + 1;
}

/* Returns how many were there until now. */
static __always_inline u32 depart(u32 device)
{
	u32 *count = in_flight_of(device), were = count ? *count : 0;

	if (were)
		__sync_fetch_and_add(count, -1);
	return were;
}

static __always_inline struct request_state *request_place(u64 key, u32 probe)
{
	u32 low;

	/* Half an address is a number to the verifier, with which it lets one reckon. */
	asm volatile("%0 = %1" : "=w"(low) : "w"((u32)key));
	u32 index = (low * 0x9e3779b1u >> (32 - REQUEST_BITS)) + probe;
	return bpf_map_lookup_elem(&requests, &index);
}

static __always_inline struct request_state *find_request(u64 key)
{
#pragma unroll
	for (u32 i = 0; i < REQUEST_PROBES; i++) {
		struct request_state *state = request_place(key, i);

		if (state && state->key == key)
			return state;
	}
	return NULL;
}

/* Two CPUs can meet in one place only when both come in the same nanoseconds: kernels before 5.12 have no lock against that,
 * nor load a program that has one. The request that it hits is not counted. */
static __always_inline struct request_state *claim_request(u64 key, u64 now)
{
#pragma unroll
	for (u32 i = 0; i < REQUEST_PROBES; i++) {
		struct request_state *state = request_place(key, i);

		if (!state)
			continue;
		if (!state->key || (!state->issue_ns && now - state->insert_ns > MERGED_NS)) {
			state->key = key;
			return state;
		}
	}
	count(this_cpu(), LOST_REQUESTS);
	return NULL;
}

/* `state`: its place if it has one. */
static __always_inline void begin(struct request_state *state, u64 key, u64 now, u64 issue_ns, u64 sector, u32 bytes, u32 device)
{
	u64 who = bpf_get_current_pid_tgid();
	bool alone = issue_ns && arrive(device) <= ALONE_DEPTH;

	if (!state)
		state = claim_request(key, now);
	if (!state)
		return;
	state->insert_ns = now;
	state->issue_ns = issue_ns;
	state->sector = sector;
	state->tid = (u32)who;
	state->tgid = who >> 32;
	state->bytes = bytes;
	state->alone = alone;
}

static __always_inline struct request *traced_request(u64 *ctx)
{
	return (struct request *)(config.block_has_queue ? ctx[1] : ctx[0]);
}

SEC("tp_btf/block_rq_insert")
int block_rq_insert(u64 *ctx)
{
	struct request *rq = traced_request(ctx);
	u64 key = (u64)rq, now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_BLOCK, now);
	struct request_state *old = find_request(key);

	/* The address of one that was merged into another comes again some time. One that the device had no room for is
	 * back in line. */
	if (old && old->issue_ns)
		depart(device_of(request_disk(rq)));
	begin(old, key, now, 0, rq->__sector, rq->__data_len, 0);
	cost_end(cpu, COST_BLOCK, start);
	return 0;
}

SEC("tp_btf/block_rq_issue")
int block_rq_issue(u64 *ctx)
{
	struct request *rq = traced_request(ctx);
	u64 key = (u64)rq, now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_BLOCK, now);
	struct request_state *state = find_request(key);
	u32 device = device_of(request_disk(rq));

	if (state) {
		if (!state->issue_ns)
			state->alone = arrive(device) <= ALONE_DEPTH;
		state->issue_ns = now;
		/* Others may have been merged into it since. */
		state->bytes = rq->__data_len;
		state->sector = rq->__sector;
	} else {
		begin(NULL, key, now, now, rq->__sector, rq->__data_len, device); /* past the scheduler */
	}
	cost_end(cpu, COST_BLOCK, start);
	return 0;
}

static __always_inline void add_user(const struct disk_key *disk, const struct request_state *state, u64 now)
{
	struct disk_user_key key = {.tid = state->tid, .tgid = state->tgid, .disk = *disk};
	struct disk_user *user = bpf_map_lookup_elem(&disk_users, &key);

	if (user) {
		__sync_fetch_and_add(&user->requests, 1);
		__sync_fetch_and_add(&user->bytes, state->bytes);
		__sync_fetch_and_add(&user->ns, now - state->insert_ns);
		return;
	}
	struct disk_user first = {.requests = 1, .bytes = state->bytes, .ns = now - state->insert_ns};
	if (bpf_map_update_elem(&disk_users, &key, &first, BPF_ANY))
		count(this_cpu(), LOST_REQUESTS);
}

static __noinline int finish(struct request_state *state, u32 device, u32 operation, u32 error, u64 now)
{
	struct disk_key key = {.device = device, .operation = operation};
	struct disk_io *io = bpf_map_lookup_elem(&disks, &key);

	if (!state)
		return 0;
	bool alone = depart(device) <= ALONE_DEPTH && state->alone;

	if (!io) {
		bpf_map_update_elem(&disks, &key, (const void *)&no_io, BPF_NOEXIST);
		io = bpf_map_lookup_elem(&disks, &key);
	}
	if (!io) {
		count(this_cpu(), LOST_REQUESTS);
		return 0;
	}
	__sync_fetch_and_add(&io->requests, 1);
	__sync_fetch_and_add(&io->bytes, state->bytes);
	if (state->bytes && io->next_sector == state->sector)
		__sync_fetch_and_add(&io->sequential, 1);
	io->next_sector = state->sector + state->bytes / 512;
	latency_add(io->queue, state->issue_ns - state->insert_ns);
	latency_add(io->device, now - state->issue_ns);
	if (alone)
		latency_add(io->alone, now - state->issue_ns);
	if (error) {
		__sync_fetch_and_add(&io->errors, 1);
		io->last_error = error;
		io->failed_tid = state->tid;
		io->failed_tgid = state->tgid;
	}
	add_user(&key, state, now);
	return 0;
}

static __always_inline void forget(struct request_state *state)
{
	barrier(); /* another may take the place from here on */
	state->key = 0;
}

/* Comes with 0 bytes for requests that were never issued, too (a sync's own request while its flush is on its way),
 * and once for each part of a request that the device does piecemeal. */
SEC("tp_btf/block_rq_complete")
int block_rq_complete(u64 *ctx)
{
	struct request *rq = (struct request *)ctx[0];
	u32 error = (u32)ctx[1], bytes = (u32)ctx[2];
	u64 key = (u64)rq, now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_BLOCK, now);
	struct request_state *state = find_request(key);

	if (state && state->issue_ns && (error || bytes >= rq->__data_len)) {
		finish(state, device_of(request_disk(rq)), operation_of(rq->cmd_flags), error, now);
		forget(state);
	} else if (!state && bytes && bytes >= rq->__data_len) {
		depart(device_of(request_disk(rq))); /* it had no place */
	}
	cost_end(cpu, COST_BLOCK, start);
	return 0;
}

static __always_inline struct bio *traced_bio(u64 *ctx)
{
	return (struct bio *)(config.bio_has_queue ? ctx[1] : ctx[0]);
}

SEC("?tp_btf/block_bio_queue")
int block_bio_queue(u64 *ctx)
{
	struct bio *bio = traced_bio(ctx);
	struct gendisk *disk = bio_disk(bio);

	if (!disk || !BPF_CORE_READ(disk, fops, submit_bio))
		return 0; /* it will be part of a request */
	struct cpu_slot *cpu = this_cpu();
	u64 now = bpf_ktime_get_ns(), start = cost_begin(cpu, COST_BLOCK, now);

	begin(find_request((u64)bio), (u64)bio, now, now, bio->bi_iter.bi_sector, bio->bi_iter.bi_size, device_of(disk));
	cost_end(cpu, COST_BLOCK, start);
	return 0;
}

SEC("?tp_btf/block_bio_complete")
int block_bio_complete(u64 *ctx)
{
	struct bio *bio = (struct bio *)ctx[1]; /* the queue is in front on all kernels */
	struct gendisk *disk = bio_disk(bio);

	if (!disk || !BPF_CORE_READ(disk, fops, submit_bio))
		return 0;
	struct cpu_slot *cpu = this_cpu();
	u64 now = bpf_ktime_get_ns(), start = cost_begin(cpu, COST_BLOCK, now);
	struct request_state *state = find_request((u64)bio);

	if (state) {
		finish(state, device_of(disk), operation_of(bio->bi_opf), bio->bi_status, now);
		forget(state);
	} else {
		depart(device_of(disk));
	}
	cost_end(cpu, COST_BLOCK, start);
	return 0;
}

/* A page of a file becomes dirty. Each CPU counts, and one in DIRTY_BATCH pays for looking up who it is. */
static __always_inline int dirtied(u32 pages, struct address_space *mapping)
{
	struct cpu_slot *cpu = this_cpu();

	if (!cpu || !mapping)
		return 0;
	cpu->dirtied += pages;
	if (cpu->dirtied < DIRTY_BATCH)
		return 0;
	u64 who = bpf_get_current_pid_tgid(), sum = cpu->dirtied;
	struct device *device = BPF_CORE_READ(mapping, host, i_sb, s_bdi, owner);
	struct dirtier_key key = {.tid = (u32)who, .tgid = who >> 32, .device = device ? BPF_CORE_READ(device, devt) : 0};

	cpu->dirtied = 0;
	if (!key.device)
		key.device = BPF_CORE_READ(mapping, host, i_rdev); /* the device's own file */
	if (!key.device)
		return 0;
	u64 *known = bpf_map_lookup_elem(&dirtiers, &key);
	if (known)
		__sync_fetch_and_add(known, sum);
	else if (bpf_map_update_elem(&dirtiers, &key, &sum, BPF_ANY))
		count(cpu, LOST_REQUESTS);
	return 0;
}

SEC("?tp_btf/writeback_dirty_folio")
int writeback_dirty_folio(u64 *ctx)
{
	return dirtied(folio_pages((struct folio *)ctx[0]), (struct address_space *)ctx[1]);
}

/* Its name before 203a31516616 ("mm/writeback: Add __folio_mark_dirty()", 5.16). */
SEC("?tp_btf/writeback_dirty_page")
int writeback_dirty_page(u64 *ctx)
{
	return dirtied(1, (struct address_space *)ctx[1]);
}
