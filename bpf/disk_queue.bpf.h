/* SPDX-License-Identifier: BSD-2-Clause */
/* What each request of a device is counted in, and which of them are looked at closely: all as long as there are few, then so few
 * that it costs little. Whether one is drawn follows from when it was made, so that each of its hooks knows without looking it up. */
#pragma once
#include "probe.bpf.h"
#include "blkio.h"

enum { OPERATION_MASK = 0xff, REQUEST_READ = 0, REQUEST_WRITE = 1, REQUEST_FLUSH = 2, REQUEST_DISCARD = 3,
       REQUEST_SYNC = 1 << 11,
       REQUEST_META = 1 << 12 };

enum { SMALL_BITS = 12 }; /* a page: no request is smaller as a rule */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DISK_QUEUE_PLACES);
	__type(key, u32);
	__type(value, struct disk_queue);
} queues SEC(".maps");

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

/* Journals are written so, for those who sync. */
static __always_inline bool is_awaited(u32 flags)
{
	u32 journal = REQUEST_SYNC | REQUEST_META;

	return (flags & journal) == journal || operation_of(flags) == DISK_FLUSH;
}

static __always_inline u32 device_of(struct gendisk *disk)
{
	return disk ? (u32)BPF_CORE_READ(disk, major) << 20 | (u32)BPF_CORE_READ(disk, first_minor) : 0;
}

/* Half an address is a number to the verifier, with which it lets one reckon. */
static __always_inline u32 half_of(u64 address)
{
	u32 low;

	asm volatile("%0 = %1" : "=w"(low) : "w"((u32)address));
	return low;
}

/* So much that each is looked at: a few large ones may be most of what is read or written. */
static __always_inline bool is_large(const struct request *rq, u32 shift)
{
	return rq->__data_len >> SMALL_BITS >> (shift & 31);
}

/* One in 1 << shift; those of a larger shift are among those of a smaller one. Where the kernel keeps no statistics of requests,
 * it does not keep when they were made either: each is drawn. */
static __always_inline bool is_drawn(const struct request *rq, u32 shift)
{
	u64 made = rq->start_time_ns;

	return !shift || !made || is_large(rq, shift) || !(((u32)made ^ half_of((u64)rq) >> 6) * 0x9e3779b1u >> (32 - (shift & 31)));
}

/* Some commands have no data: those are in no count of the kernel's either. */
static __always_inline bool is_counted(const struct request *rq, u32 bytes)
{
	return bytes || (rq->cmd_flags & OPERATION_MASK) == REQUEST_FLUSH;
}

/* `key`: the address of the request queue, or of the disk of a device without one. A new one has no key yet. NULL: there is no room. */
static __always_inline struct disk_queue *find_queue(u64 key)
{
	u32 first = half_of(key) * 0x9e3779b1u >> (32 - DISK_QUEUE_BITS);

#pragma unroll
	for (u32 i = 0; i < DISK_QUEUE_PROBES; i++) {
		u32 index = first + i;
		struct disk_queue *queue = bpf_map_lookup_elem(&queues, &index);

		if (!queue || !queue->key || queue->key == key)
			return queue;
	}
	return NULL;
}

static __always_inline struct disk_queue *queue_of(struct request *rq)
{
	u64 key = (u64)rq->q;

	barrier_var(key); /* read once (request_disk()) */
	struct disk_queue *queue = find_queue(key);

	if (queue && !queue->key) {
		u32 device = device_of(request_disk(rq)); /* a command before 5.17 may have none */

		if (!device)
			return NULL;
		queue->device = device;
		queue->key = key;
	}
	return queue;
}

/* Without a place, each is looked at. */
static __always_inline u32 shift_of(const struct disk_queue *queue)
{
	return queue ? queue->draw.shift : 0;
}

/* One that has been drawn as it began: the shift may have grown meanwhile. */
static __always_inline bool was_drawn(const struct request *rq, const struct disk_queue *queue)
{
	u32 shift = shift_of(queue), before = queue ? queue->draw.shift_before : 0;

	return is_drawn(rq, shift < before ? shift : before);
}

static __always_inline struct disk_queue *queue_of_disk(struct gendisk *disk)
{
	struct disk_queue *queue = find_queue((u64)disk);

	if (queue && !queue->key) {
		queue->device = device_of(disk);
		queue->key = (u64)disk;
	}
	return queue;
}

/* One more is in the device. Returns whether it has it as good as for itself. */
static __always_inline bool arrive(struct disk_queue *queue)
{
	if (!queue)
		return true;
	u32 were = queue->in_flight; /* before 5.12 an atomic addition does not tell what it found */
	__sync_fetch_and_add(&queue->in_flight, 1);
	return were < ALONE_DEPTH;
}

/* Returns whether it had it until now. */
static __always_inline bool depart(struct disk_queue *queue)
{
	u32 were = queue ? queue->in_flight : 0;

	if (were)
		__sync_fetch_and_add(&queue->in_flight, -1);
	return were <= ALONE_DEPTH;
}

/* All or a part of a request is done. Returns whether it began where the one before had ended. */
static __always_inline bool count_done(struct disk_queue *queue, u32 operation, u64 sector, u32 bytes, bool whole)
{
	barrier_var(operation); /* the verifier wants to see the bound */
	if (!queue || operation >= DISK_OPERATIONS)
		return false;
	struct disk_count *done = &queue->done[operation];
	bool sequential = bytes && done->next_sector == sector;

	__sync_fetch_and_add(&done->requests, whole);
	__sync_fetch_and_add(&done->bytes, bytes);
	done->next_sector = sector + bytes / 512;
	return sequential;
}
