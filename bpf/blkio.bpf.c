// SPDX-License-Identifier: BSD-2-Clause
/* Requests to disks: how long they wait in the queue, how long the device takes, and for whom. Nothing is emitted: sums
 * and histograms stay in maps that user space reads once a slice. */
#include "probe.bpf.h"
#include "blkio.h"
#include "histogram.bpf.h"

enum { OPERATION_MASK = 0xff, REQUEST_READ = 0, REQUEST_WRITE = 1, REQUEST_FLUSH = 2, REQUEST_DISCARD = 3 };

/* A request on its way. */
struct request_state {
	u64 insert_ns, issue_ns;
	u64 sector;
	u32 tid, tgid;
	u32 bytes;
	u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64); /* the request's address */
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

const struct disk_io no_io SEC(".rodata.no_io") = {};

static __always_inline u32 operation_of(struct request *rq)
{
	switch (rq->cmd_flags & OPERATION_MASK) {
	case REQUEST_READ: return DISK_READ;
	case REQUEST_WRITE: return DISK_WRITE;
	case REQUEST_FLUSH: return DISK_FLUSH;
	case REQUEST_DISCARD: return DISK_DISCARD;
	default: return DISK_OTHER;
	}
}

static __always_inline u32 device_of(struct request *rq)
{
	struct gendisk *disk = request_disk(rq);

	return disk ? (u32)disk->major << 20 | (u32)disk->first_minor : 0;
}

static __always_inline void begin(struct request *rq, u64 now, u64 issue_ns)
{
	u64 key = (u64)rq, who = bpf_get_current_pid_tgid();
	struct request_state state = {
		.insert_ns = now, .issue_ns = issue_ns, .sector = rq->__sector, .tid = (u32)who, .tgid = who >> 32,
		.bytes = rq->__data_len};

	/* One that was merged into another never completes: its address comes again some time. */
	if (bpf_map_update_elem(&requests, &key, &state, BPF_ANY))
		count(this_cpu(), LOST_REQUESTS);
}

SEC("tp_btf/block_rq_insert")
int block_rq_insert(u64 *ctx)
{
	struct request *rq = (struct request *)(config.block_has_queue ? ctx[1] : ctx[0]);
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_BLOCK, now);

	begin(rq, now, 0);
	cost_end(cpu, COST_BLOCK, start);
	return 0;
}

SEC("tp_btf/block_rq_issue")
int block_rq_issue(u64 *ctx)
{
	struct request *rq = (struct request *)(config.block_has_queue ? ctx[1] : ctx[0]);
	u64 key = (u64)rq, now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_BLOCK, now);
	struct request_state *state = bpf_map_lookup_elem(&requests, &key);

	if (state) {
		state->issue_ns = now;
		/* Others may have been merged into it since. */
		state->bytes = rq->__data_len;
		state->sector = rq->__sector;
	} else {
		begin(rq, now, now); /* past the scheduler */
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

static __always_inline void finish(struct request *rq, const struct request_state *state, u32 error, u64 now)
{
	struct disk_key key = {.device = device_of(rq), .operation = operation_of(rq)};
	struct disk_io *io = bpf_map_lookup_elem(&disks, &key);

	if (!io) {
		bpf_map_update_elem(&disks, &key, (const void *)&no_io, BPF_NOEXIST);
		io = bpf_map_lookup_elem(&disks, &key);
	}
	if (!io) {
		count(this_cpu(), LOST_REQUESTS);
		return;
	}
	__sync_fetch_and_add(&io->requests, 1);
	__sync_fetch_and_add(&io->bytes, state->bytes);
	if (state->bytes && io->next_sector == state->sector)
		__sync_fetch_and_add(&io->sequential, 1);
	io->next_sector = state->sector + state->bytes / 512;
	latency_add(io->queue, state->issue_ns - state->insert_ns);
	latency_add(io->device, now - state->issue_ns);
	if (error) {
		__sync_fetch_and_add(&io->errors, 1);
		io->last_error = error;
	}
	add_user(&key, state, now);
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
	struct request_state *state = bpf_map_lookup_elem(&requests, &key);

	if (state && state->issue_ns && (error || bytes >= rq->__data_len)) {
		finish(rq, state, error, now);
		bpf_map_delete_elem(&requests, &key);
	}
	cost_end(cpu, COST_BLOCK, start);
	return 0;
}
