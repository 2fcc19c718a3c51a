// SPDX-License-Identifier: BSD-2-Clause
#include "disk_draws.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/mman.h>

#include "clock.h"
#include "fail.h"

/* About so many are drawn a second of each device: of ten seconds enough for the slowest in a thousand, and a thousandth of a CPU. */
enum { WANTED = 1000, MOST_SHIFT = 16 };

/* Many requests for less than this many looks cost little in all, and would be told badly by the few that are drawn. */
enum { PATIENCE = 10 };

/* So many looks, two seconds, a request may have been on its way that was drawn before the shift grew. */
enum { KEPT_LOOKS = 20 };

enum { LATER = 2 }; /* the counts are read a moment after what was drawn */

#define LEAST_LOOK_NS (50 * NS_PER_MS)

static size_t queues_bytes(const struct bpf_map *map)
{
	return (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
}

int disk_draws_init(struct disk_draws *d, const struct bpf_object *object)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object, "queues");
	void *memory;

	if (!map)
		return fail(-ENOENT, "find its maps");
	memory = mmap(NULL, queues_bytes(map), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (memory == MAP_FAILED)
		return fail(-errno, "map the counts of requests into memory");
	d->queues = memory;
	return 0;
}

void disk_draws_done(struct disk_draws *d)
{
	if (d->queues)
		munmap(d->queues, sizeof(*d->queues) * DISK_QUEUE_PLACES);
	*d = (struct disk_draws){0};
}

static uint64_t count_all(const struct disk_queue *queue)
{
	uint64_t sum = 0;

	for (uint32_t operation = 0; operation < DISK_OPERATIONS; operation++)
		sum += queue->done[operation].requests;
	return sum;
}

static uint32_t wanted_shift(struct disk_watch *w, uint64_t rate, uint32_t shift)
{
	w->many = rate >> shift > 2 * WANTED ? w->many + 1 : 0;
	while (w->many >= PATIENCE && rate >> shift > 2 * WANTED && shift < MOST_SHIFT)
		shift++;
	while (shift && rate >> shift < WANTED / 2)
		shift--;
	return shift;
}

static void adapt(struct disk_draw *draw, struct disk_watch *w, uint64_t rate)
{
	uint32_t old = draw->shift, shift = wanted_shift(w, rate, old);

	if (shift > old) {
		draw->shift_before = w->kept && draw->shift_before < old ? draw->shift_before : old;
		w->kept = KEPT_LOOKS;
	} else if (w->kept) {
		w->kept--;
	}
	if (!w->kept)
		draw->shift_before = shift;
	draw->shift = shift;
}

void disk_draws_adapt(struct disk_draws *d, uint64_t now_ns)
{
	uint64_t since = now_ns - d->looked_ns;

	if (since < LEAST_LOOK_NS)
		return;
	for (uint32_t i = 0; i < DISK_QUEUE_PLACES; i++) {
		struct disk_watch *w = &d->watched[i];

		if (!d->queues[i].key)
			continue;
		uint64_t counted = count_all(&d->queues[i]), more = d->looked_ns ? counted - w->counted : 0;
		w->counted = counted;
		adapt(&d->queues[i].draw, w, (uint64_t)((double)more * NS_PER_S / (double)since));
	}
	d->looked_ns = now_ns;
}

struct disk_count disk_draws_count(const struct disk_draws *d, uint32_t device, uint32_t operation)
{
	struct disk_count sum = {0};

	for (uint32_t i = 0; i < DISK_QUEUE_PLACES; i++) {
		const struct disk_queue *queue = &d->queues[i];

		if (!queue->key || queue->device != device)
			continue;
		sum.requests += queue->done[operation].requests;
		sum.bytes += queue->done[operation].bytes;
	}
	return sum;
}

static double share(uint64_t whole, uint64_t part)
{
	return whole && part ? (double)whole / (double)part : 1;
}

struct disk_scale disk_scale(const struct disk_io *io, const struct disk_io *io_before, const struct disk_count *now,
			     struct disk_count *before)
{
	struct disk_scale scale = {1, 1};
	if (now->requests < before->requests || now->bytes < before->bytes) { /* its place is another device's now */
		*before = *now;
		return scale;
	}
	uint64_t requests = io->requests - io_before->requests, counted = now->requests - before->requests;
	bool each = requests == io->drawn - io_before->drawn && counted <= requests + LATER;

	/* Each was looked at, or nothing drawn: what was counted then belongs to the next ones. */
	if (requests && !each) {
		scale.requests = share(counted, requests);
		scale.bytes = share(now->bytes - before->bytes, io->bytes - io_before->bytes);
	}
	if (requests)
		*before = *now;
	return scale;
}
