// SPDX-License-Identifier: BSD-2-Clause
/* Requests to disks: queue and device time, who had them made, errors. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "askers.h"
#include "bio_hooks.h"
#include "blkio.h"
#include "clock.h"
#include "disk_draws.h"
#include "disk_name.h"
#include "fail.h"
#include "map_take.h"
#include "mem.h"
#include "probe.h"
#include "text.h"

/* Metrics; the first are one for each operation. */
enum {
	QUEUE_TIME = 0,
	DEVICE_TIME = QUEUE_TIME + DISK_OPERATIONS,
	ALONE_TIME = DEVICE_TIME + DISK_OPERATIONS,
	BYTES = ALONE_TIME + DISK_OPERATIONS,
	USER_BYTES = BYTES + DISK_OPERATIONS,
	USER_TIME = USER_BYTES + DISK_OPERATIONS,
	DIRTIED, SEQUENTIAL, ERRORS, LOST,
};

enum { MOST_DISKS = 128 }; /* entries of the map */

/* What is already in the recording. */
struct known_disk {
	struct disk_key key;
	uint32_t resource;
	struct disk_io io;
	struct disk_count counted;
	struct disk_scale scale; /* of this slice */
};

struct blkio_state {
	struct probe_state probe;
	int disks, users, dirty; /* maps */
	struct known_disk *known;
	uint32_t count, capacity;
	struct askers dirtiers;
	struct disk_draws draws;
	struct bio_hooks bios;
	uint64_t lost;
};

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct blkio_state *s = arg;

	s->disks = bpf_object__find_map_fd_by_name(object, "disks");
	s->users = bpf_object__find_map_fd_by_name(object, "disk_users");
	s->dirty = bpf_object__find_map_fd_by_name(object, "dirtiers");
	if (s->disks < 0 || s->users < 0 || s->dirty < 0)
		return fail(-ENOENT, "find its maps");
	int r = disk_draws_init(&s->draws, object);
	if (r < 0)
		return r;
	bio_hooks_init(&s->bios, object);
	bio_hooks_look(&s->bios, c->files);
	return 0;
}

static void detach(struct capture *c, void *arg)
{
	struct blkio_state *s = arg;

	bio_hooks_done(&s->bios);
}

static struct known_disk *find_known(struct capture *c, struct blkio_state *s, const struct disk_key *key)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (!memcmp(&s->known[i].key, key, sizeof(*key)))
			return &s->known[i];
	GROW(s->known, s->count, s->capacity);
	s->known[s->count] = (struct known_disk){.key = *key, .resource = disk_resource(c, key->device), .scale = {1, 1}};
	return &s->known[s->count++];
}

static const char *error_name(uint64_t error)
{
	static const char *const names[] = {
		[1] = "not supported", [2] = "timeout", [3] = "no space", [4] = "transport error", [5] = "target error",
		[6] = "reservation conflict", [7] = "medium error", [8] = "protection error", [9] = "no resources",
		[10] = "I/O error", [12] = "try again", [16] = "zone error", [19] = "device offline",
		[20] = "duration limit"};
	uint32_t code = (uint32_t)error;

	if ((int32_t)code < 0)
		return strerror(-(int32_t)code);
	return code < ARRAY_SIZE(names) && names[code] ? names[code] : "error";
}

/* Not supported, of a discard or so; and: would have had to wait, which the caller asked to be told. */
static bool is_harm(uint64_t error)
{
	int32_t code = (int32_t)error;

	return code != 1 && code != 12 && code != -EOPNOTSUPP && code != -EAGAIN;
}

static void gauge(struct capture *c, const struct blkio_state *s, unsigned metric, uint32_t resource, uint64_t growth)
{
	if (growth)
		capture_gauge(c, s->probe.first_metric + metric, resource, (double)growth);
}

static uint64_t scaled(uint64_t value, double scale)
{
	return (uint64_t)((double)value * scale + 0.5);
}

/* What is rounded away in one bucket goes to the next. */
static void add_histogram(struct capture *c, uint32_t metric, const struct known_disk *disk, const uint64_t *now,
			  const uint64_t *before)
{
	double rest = 0.5;

	for (uint32_t b = 0; b < LATENCY_BUCKETS; b++) {
		if (now[b] <= before[b])
			continue;
		rest += (double)(now[b] - before[b]) * disk->scale.requests;
		uint64_t whole = (uint64_t)rest;
		if (whole)
			capture_histogram(c, metric, disk->resource, b, whole);
		rest -= (double)whole;
	}
}

/* Whose request has failed: of the kernel's own threads it was the one whose pages they write. */
static uint32_t failed_task(struct capture *c, const struct blkio_state *s, const struct disk_io *io, uint32_t disk)
{
	const struct thread *t = io->failed_tid ? tasks_recent(c->tasks, io->failed_tid, io->failed_tgid) : NULL;

	if (t && !(t->process->flags & PROCESS_KERNEL))
		return t->id;
	uint32_t dirtier = askers_first(&s->dirtiers, disk);
	return dirtier || !t ? dirtier : t->id;
}

static void add_disk(struct capture *c, struct blkio_state *s, const struct disk_key *key, const struct disk_io *io,
		     uint64_t now_ns)
{
	struct known_disk *known = find_known(c, s, key);
	uint32_t first = s->probe.first_metric, operation = key->operation;
	const struct disk_io *before = &known->io;
	struct disk_count counted = disk_draws_count(&s->draws, key->device, operation);

	known->scale = (struct disk_scale){1, 1};
	if (operation != DISK_OTHER) /* some of these are in no count */
		known->scale = disk_scale(io, before, &counted, &known->counted);
	add_histogram(c, first + QUEUE_TIME + operation, known, io->queue, before->queue);
	add_histogram(c, first + DEVICE_TIME + operation, known, io->device, before->device);
	add_histogram(c, first + ALONE_TIME + operation, known, io->alone, before->alone);
	gauge(c, s, BYTES + operation, known->resource, scaled(io->bytes - before->bytes, known->scale.bytes));
	gauge(c, s, SEQUENTIAL, known->resource, scaled(io->sequential - before->sequential, known->scale.requests));
	if (io->errors > before->errors && is_harm(io->last_error)) {
		gauge(c, s, ERRORS, known->resource, io->errors - before->errors);
		store_add_event(c->store, capture_time(c, now_ns), "disk.error", failed_task(c, s, io, known->resource),
				known->resource, (int64_t)(io->errors - before->errors), error_name(io->last_error));
	}
	known->io = *io;
}

static void pass_over(struct capture *c, struct blkio_state *s, const struct disk_key *key, const struct disk_io *io)
{
	struct known_disk *known = find_known(c, s, key);

	known->io = *io;
	known->counted = disk_draws_count(&s->draws, key->device, key->operation);
}

static void read_disks(struct capture *c, struct blkio_state *s, bool write, uint64_t now_ns)
{
	struct disk_key key, next;
	struct disk_io io;
	int r = bpf_map_get_next_key(s->disks, NULL, &next);

	for (int i = 0; r == 0 && i < MOST_DISKS; i++) {
		key = next;
		if (key.operation < DISK_OPERATIONS && bpf_map_lookup_elem(s->disks, &key, &io) == 0) {
			if (write)
				add_disk(c, s, &key, &io, now_ns);
			else
				pass_over(c, s, &key, &io);
		}
		r = bpf_map_get_next_key(s->disks, &key, &next);
	}
}

struct share {
	struct capture *capture;
	const struct blkio_state *state;
	const struct disk_user *user;
	uint32_t operation, disk;
};

static void add_share(void *arg, uint32_t task, double share)
{
	const struct share *x = arg;
	uint32_t first = x->state->probe.first_metric;
	uint64_t requests = (uint64_t)((double)x->user->requests * share + 0.5);

	capture_add(x->capture, first + USER_BYTES + x->operation, task, 0, x->disk, requests,
		    (uint64_t)((double)x->user->bytes * share));
	capture_add(x->capture, first + USER_TIME, task, 0, x->disk, requests, (uint64_t)((double)x->user->ns * share));
}

/* Where nobody has a claim the file system lies on a device that does not tell its disks: then of any. */
static double take_dirt(struct blkio_state *s, struct share *x)
{
	double there = askers_take(&s->dirtiers, x->disk, x->user->bytes, add_share, x);

	return there > 0 ? there : askers_take(&s->dirtiers, 0, x->user->bytes, add_share, x);
}

static void add_user(struct capture *c, struct blkio_state *s, const struct disk_user_key *key,
		     const struct disk_user *drawn)
{
	/* Requests that are nobody's: made in an interrupt's wake while nothing ran. */
	const struct thread *t = key->tid ? tasks_recent(c->tasks, key->tid, key->tgid) : NULL;
	const struct known_disk *disk = find_known(c, s, &key->disk);
	const struct disk_user user = {.requests = scaled(drawn->requests, disk->scale.requests),
				       .bytes = scaled(drawn->bytes, disk->scale.bytes),
				       .ns = scaled(drawn->ns, disk->scale.requests)};
	struct share x = {c, s, &user, key->disk.operation, disk->resource};
	double rest = 1;

	if (!t)
		return;
	bool kernel = t->process->flags & PROCESS_KERNEL;
	if (kernel && key->awaited)
		rest -= askers_take(&c->syncers, x.disk, user.ns, add_share, &x);
	else if (kernel && key->disk.operation == DISK_WRITE)
		rest -= take_dirt(s, &x);
	if (rest > 0 && (!c->filter || t->process->selected))
		add_share(&x, t->id, rest);
}

/* A loop device's: those who dirtied that have a claim here, too. */
static bool works_for_others(const struct thread *t)
{
	return t->process->flags & PROCESS_KERNEL && (starts_with(t->comm, "kworker/") || starts_with(t->comm, "loop"));
}

static void read_dirtiers(struct capture *c, struct blkio_state *s)
{
	struct dirtier_key key;
	struct map_pass pass = {0};
	uint64_t pages;

	while (map_take(s->dirty, &pass, &key, sizeof(key), &pages) == 0) {
		const struct thread *t = tasks_recent(c->tasks, key.tid, key.tgid);
		if (!t || (c->filter && !t->process->selected))
			continue;
		uint32_t disk = disk_resource(c, key.device);
		if (!works_for_others(t))
			capture_ask(c, &s->dirtiers, key.device, t->id, pages * PAGE_BYTES);
		capture_add(c, s->probe.first_metric + DIRTIED, t->id, 0, disk, pages, pages * PAGE_BYTES);
	}
}

static void read_users(struct capture *c, struct blkio_state *s, bool write)
{
	struct disk_user_key key;
	struct map_pass pass = {0};
	struct disk_user user;

	while (map_take(s->users, &pass, &key, sizeof(key), &user) == 0) {
		if (write && key.disk.operation < DISK_OPERATIONS)
			add_user(c, s, &key, &user);
	}
}

static void drained(struct capture *c, void *arg)
{
	struct blkio_state *s = arg;

	disk_draws_adapt(&s->draws, clock_mono_ns());
}

static void start(struct capture *c, void *arg)
{
	struct blkio_state *s = arg;

	s->lost = capture_counter(c, LOST_REQUESTS);
	read_dirtiers(c, s);
	read_disks(c, s, false, 0);
	read_users(c, s, false);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct blkio_state *s = arg;
	uint64_t now = capture_counter(c, LOST_REQUESTS);

	bio_hooks_look(&s->bios, c->files);
	read_dirtiers(c, s);
	read_disks(c, s, true, now_ns);
	read_users(c, s, true);
	askers_fade(&c->syncers, 0.5);
	askers_fade(&s->dirtiers, DIRT_FORGOTTEN);
	disk_sets_forget(&c->disk_sets);
	gauge(c, s, LOST, 0, now - s->lost);
	s->lost = now;
}

static void stop(struct capture *c, void *arg)
{
	struct blkio_state *s = arg;

	free(s->known);
	disk_draws_done(&s->draws);
	askers_done(&s->dirtiers);
}

extern const char perfscope_blkio_object[];
extern const unsigned long perfscope_blkio_object_size;

#define EACH_OPERATION(metric, prefix, unit, what)                                                \
	[metric + DISK_READ] = {prefix ".read", unit, what " reads"},                             \
	[metric + DISK_WRITE] = {prefix ".write", unit, what " writes"},                          \
	[metric + DISK_FLUSH] = {prefix ".flush", unit, what " flushes of the device's cache"},   \
	[metric + DISK_DISCARD] = {prefix ".discard", unit, what " discards"},                    \
	[metric + DISK_OTHER] = {prefix ".other", unit, what " other requests"}

const struct probe probe_blkio = {
	.name = "blkio",
	.help = "requests to disks: queue and device time, who had them made, errors",
	.metrics = (const struct probe_metric[]){
		EACH_OPERATION(QUEUE_TIME, "disk.queue_time", "ns", "waiting in the kernel before the device gets them:"),
		EACH_OPERATION(DEVICE_TIME, "disk.device_time", "ns", "time that the device takes for"),
		EACH_OPERATION(ALONE_TIME, "disk.alone_time", "ns", "the same, with at most one other in the device:"),
		EACH_OPERATION(BYTES, "disk.bytes", "bytes", "size of"),
		EACH_OPERATION(USER_BYTES, "io", "bytes", "by thread and disk, size and count of"),
		[USER_TIME] = {"io.time", "ns", "by thread and disk: queue and device time of its requests; of what the kernel "
				      "writes later, or flushes while it waits, too"},
		[DIRTIED] = {"io.dirtied", "bytes", "by thread and disk: pages that it made dirty, to be written later; of a large folio all of them"},
		[SEQUENTIAL] = {"disk.sequential", "count", "requests that began where the one before ended"},
		[ERRORS] = {"disk.errors", "count", "requests that failed"},
		[LOST] = {"lost.requests", "count", "disk requests that were not counted"},
		{0}},
	.object = perfscope_blkio_object,
	.object_size = &perfscope_blkio_object_size,
	.state_size = sizeof(struct blkio_state),
	.prepare = bio_hooks_prepare,
	.attach = attach,
	.start = start,
	.drained = drained,
	.slice = slice,
	.detach = detach,
	.stop = stop,
};
