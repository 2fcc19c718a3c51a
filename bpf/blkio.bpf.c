// SPDX-License-Identifier: BSD-2-Clause
/* Requests to disks: how long they wait in the queue, how long the device takes, and for whom. Devices that have no
 * queue of their own (dm, md, brd) are seen by their bios, with hooks that user space attaches when there is one. Who
 * dirties pages is known too: the kernel's threads write them later. Each request is counted; of many a part is drawn, whose time
 * and thread are looked at; bios all are. Nothing is emitted: sums and histograms stay in maps that user space reads once a slice. */
#include "disk_queue.bpf.h"
#include "histogram.bpf.h"

enum {
	REQUEST_BITS = 14, /* places for requests, */
	REQUEST_PROBES = 8, /* of which each may be in so many next to each other */
};

/* One that has been waiting for so long was merged into another: such a one never completes. */
#define MERGED_NS 60000000000ull

#define STALE_NS 1000000ull

/* A request on its way that was drawn. */
struct request_state {
	u64 key; /* its address; 0: the place is free */
	u64 insert_ns, issue_ns;
	u64 sector;
	u32 tid, tgid;
	u32 bytes;
	u8 alone;
	u8 shift; /* it stands for 1 << shift of its like */
	u8 awaited;
} __attribute__((aligned(64)));

/* An array and no hash table of the kernel's: those are five times as dear. */
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

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct dirtier_key);
	__type(value, u64); /* pages */
} dirtiers SEC(".maps");

const struct disk_io no_io SEC(".rodata.no_io") = {};

static __always_inline struct request_state *request_place(u64 key, u32 probe)
{
	u32 index = (half_of(key) * 0x9e3779b1u >> (32 - REQUEST_BITS)) + probe;

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
		if (!state->key || now - state->insert_ns > MERGED_NS) {
			state->key = key;
			return state;
		}
	}
	count(this_cpu(), LOST_REQUESTS);
	return NULL;
}

/* `state`: its place if it has one. issue_ns 0: it is still in line. */
static __always_inline void begin(struct request_state *state, u64 key, u64 now, u64 issue_ns, u32 shift)
{
	u64 who = bpf_get_current_pid_tgid();

	if (!state)
		state = claim_request(key, now);
	if (!state)
		return;
	state->insert_ns = now;
	state->issue_ns = issue_ns;
	state->tid = (u32)who;
	state->tgid = who >> 32;
	state->shift = shift;
}

static __always_inline struct request *traced_request(u64 *ctx)
{
	return (struct request *)(config.block_has_queue ? ctx[1] : ctx[0]);
}

/* The address of one that was merged into another comes again some time. One that the device had no room for is back in line. */
SEC("tp_btf/block_rq_insert")
int block_rq_insert(u64 *ctx)
{
	struct request *rq = traced_request(ctx);
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_BLOCK), key = (u64)rq;
	u32 shift = shift_of(queue_of(rq));

	if (is_drawn(rq, shift))
		begin(find_request(key), key, bpf_ktime_get_ns(), 0, shift);
	cost_end(cpu, COST_BLOCK, start);
	return 0;
}

/* Of an earlier request at this address, whose end was not seen. The two clocks may differ by microseconds. */
static __always_inline bool is_stale(const struct request_state *state, const struct request *rq)
{
	return state->insert_ns + STALE_NS < rq->start_time_ns;
}

/* Past the scheduler, one was not inserted. Others may have been merged into one that was: by its size now it is drawn. */
static __noinline int issue(struct request *rq, u32 alone, u32 shift)
{
	if (!rq)
		return 0;
	u64 key = (u64)rq, now = bpf_ktime_get_ns();
	struct request_state *state = find_request(key);

	if (!state || is_stale(state, rq)) {
		u64 made = shift && rq->start_time_ns ? rq->start_time_ns : now;

		if (!is_drawn(rq, shift))
			return 0;
		begin(state, key, made < now ? made : now, now, shift);
		state = find_request(key);
	}
	if (!state)
		return 0;
	state->alone = alone;
	state->issue_ns = now;
	state->bytes = rq->__data_len;
	state->awaited = is_awaited(rq->cmd_flags);
	if (is_large(rq, shift))
		state->shift = 0; /* it stands for itself */
	return 0;
}

SEC("tp_btf/block_rq_issue")
int block_rq_issue(u64 *ctx)
{
	struct request *rq = traced_request(ctx);
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_BLOCK);
	struct disk_queue *queue = queue_of(rq);
	bool alone = is_counted(rq, rq->__data_len) && arrive(queue);

	if (was_drawn(rq, queue))
		issue(rq, alone, shift_of(queue));
	cost_end(cpu, COST_BLOCK, start);
	return 0;
}

/* The device had no room for it, or it has to be tried again. */
SEC("tp_btf/block_rq_requeue")
int block_rq_requeue(u64 *ctx)
{
	struct request *rq = traced_request(ctx);
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_BLOCK);

	if (rq->state != MQ_RQ_IDLE && is_counted(rq, rq->__data_len))
		depart(queue_of(rq));
	cost_end(cpu, COST_BLOCK, start);
	return 0;
}

static __always_inline void add_user(const struct disk_key *disk, const struct request_state *state, u64 now)
{
	struct disk_user_key key = {.tid = state->tid, .tgid = state->tgid, .disk = *disk, .awaited = state->awaited};
	struct disk_user *user = bpf_map_lookup_elem(&disk_users, &key);
	u32 shift = state->shift & 31;
	u64 bytes = (u64)state->bytes << shift, ns = (now - state->insert_ns) << shift;

	if (user) {
		__sync_fetch_and_add(&user->requests, 1ull << shift);
		__sync_fetch_and_add(&user->bytes, bytes);
		__sync_fetch_and_add(&user->ns, ns);
		return;
	}
	struct disk_user first = {.requests = 1ull << shift, .bytes = bytes, .ns = ns};
	if (bpf_map_update_elem(&disk_users, &key, &first, BPF_ANY))
		count(this_cpu(), LOST_REQUESTS);
}

static __always_inline struct disk_io *io_of(const struct disk_key *key)
{
	struct disk_io *io = bpf_map_lookup_elem(&disks, key);

	if (io)
		return io;
	bpf_map_update_elem(&disks, key, (const void *)&no_io, BPF_NOEXIST);
	io = bpf_map_lookup_elem(&disks, key);
	if (!io)
		count(this_cpu(), LOST_REQUESTS);
	return io;
}

/* alone: it was so as it came to the device, or as it left. */
static __noinline int finish(struct request_state *state, const struct disk_key *key, u32 alone, u32 sequential, u64 now)
{
	struct disk_io *io = key ? io_of(key) : NULL;

	if (!state || !io || !key)
		return 0;
	u32 shift = state->shift & 31;
	u64 weight = 1ull << shift;

	__sync_fetch_and_add(&io->drawn, 1);
	__sync_fetch_and_add(&io->requests, weight);
	__sync_fetch_and_add(&io->bytes, (u64)state->bytes << shift);
	if (sequential)
		__sync_fetch_and_add(&io->sequential, weight);
	latency_add(io->queue, state->issue_ns - state->insert_ns, weight);
	latency_add(io->device, now - state->issue_ns, weight);
	if (alone && state->alone)
		latency_add(io->alone, now - state->issue_ns, weight);
	add_user(key, state, now);
	return 0;
}

/* Each one that fails is counted; whose it was is known of those that were drawn. */
static __noinline int note_error(const struct request_state *state, const struct disk_key *key, u32 error)
{
	struct disk_io *io = key ? io_of(key) : NULL;

	if (!io)
		return 0;
	__sync_fetch_and_add(&io->errors, 1);
	io->last_error = error;
	if (state) {
		io->failed_tid = state->tid;
		io->failed_tgid = state->tgid;
	}
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
	u32 error = (u32)ctx[1], bytes = (u32)ctx[2], operation = operation_of(rq->cmd_flags);
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_BLOCK);
	bool whole = error || bytes >= rq->__data_len, alone = true, sequential = false;
	struct disk_queue *queue = queue_of(rq);
	struct request_state *state = was_drawn(rq, queue) ? find_request((u64)rq) : NULL;

	if (state && is_stale(state, rq))
		state = NULL;
	if (is_counted(rq, bytes)) {
		sequential = count_done(queue, operation, rq->__sector, bytes, whole);
		alone = whole && depart(queue);
	}
	if (whole && ((state && state->issue_ns) || error)) {
		struct disk_key key = {.device = device_of(request_disk(rq)), .operation = operation};

		if (queue && queue->device != key.device)
			queue->device = key.device; /* another device has the address of one that is gone */
		if (error)
			note_error(state, &key, error);
		if (state && state->issue_ns) {
			finish(state, &key, alone, sequential, bpf_ktime_get_ns());
			forget(state);
		}
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
	u64 now = bpf_ktime_get_ns(), start = cost_begin(cpu, COST_BLOCK, now), key = (u64)bio;
	bool alone = arrive(queue_of_disk(disk));

	begin(find_request(key), key, now, now, 0);
	struct request_state *state = find_request(key);
	if (state) {
		state->alone = alone;
		state->bytes = bio->bi_iter.bi_size;
		state->awaited = is_awaited(bio->bi_opf);
		state->sector = bio->bi_iter.bi_sector; /* the driver advances the bio's own */
	}
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
	struct disk_queue *queue = queue_of_disk(disk);
	bool alone = depart(queue);

	if (state) {
		struct disk_key key = {.device = device_of(disk), .operation = operation_of(bio->bi_opf)};
		bool sequential = count_done(queue, key.operation, state->sector, state->bytes, true);

		if (bio->bi_status)
			note_error(state, &key, bio->bi_status);
		finish(state, &key, alone, sequential, now);
		forget(state);
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
