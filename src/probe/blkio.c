// SPDX-License-Identifier: BSD-2-Clause
/* Requests to disks: queue and device time, who had them made, errors. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "blkio.h"
#include "fail.h"
#include "map_take.h"
#include "mem.h"
#include "probe.h"

/* Metrics; the first are one for each operation. */
enum {
	QUEUE_TIME = 0,
	DEVICE_TIME = QUEUE_TIME + DISK_OPERATIONS,
	BYTES = DEVICE_TIME + DISK_OPERATIONS,
	USER_BYTES = BYTES + DISK_OPERATIONS,
	USER_TIME = USER_BYTES + DISK_OPERATIONS,
	SEQUENTIAL, ERRORS, LOST,
};

enum { MOST_DISKS = 128, MOST_USERS = 8192 }; /* entries of the maps */

/* What is already in the recording. */
struct known_disk {
	struct disk_key key;
	uint32_t resource;
	struct disk_io io;
};

struct blkio_state {
	struct probe_state probe;
	int disks, users; /* maps */
	struct known_disk *known;
	uint32_t count, capacity;
	uint64_t lost;
};

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct blkio_state *s = arg;

	s->disks = bpf_object__find_map_fd_by_name(object, "disks");
	s->users = bpf_object__find_map_fd_by_name(object, "disk_users");
	return s->disks < 0 || s->users < 0 ? fail(-ENOENT, "find its maps") : 0;
}

/* The kernel's name; the numbers where it has none any more. */
static uint32_t disk_resource(struct capture *c, uint32_t device)
{
	unsigned major = device >> 20, minor = device & 0xfffff;
	char link[64], target[PATH_MAX], name[64];

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major, minor);
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	if (n > 0) {
		target[n] = 0;
		const char *slash = strrchr(target, '/');
		return capture_resource(c, "disk", slash ? slash + 1 : target);
	}
	snprintf(name, sizeof(name), "%u:%u", major, minor);
	return capture_resource(c, "disk", name);
}

static struct known_disk *find_known(struct capture *c, struct blkio_state *s, const struct disk_key *key)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (!memcmp(&s->known[i].key, key, sizeof(*key)))
			return &s->known[i];
	GROW(s->known, s->count, s->capacity);
	s->known[s->count] = (struct known_disk){.key = *key, .resource = disk_resource(c, key->device)};
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

static void gauge(struct capture *c, const struct blkio_state *s, unsigned metric, uint32_t resource, uint64_t growth)
{
	if (growth)
		capture_gauge(c, s->probe.first_metric + metric, resource, (double)growth);
}

static void add_histogram(struct capture *c, uint32_t metric, uint32_t resource, const uint64_t *now,
			  const uint64_t *before)
{
	for (uint32_t b = 0; b < LATENCY_BUCKETS; b++)
		if (now[b] > before[b])
			capture_histogram(c, metric, resource, b, now[b] - before[b]);
}

static void add_disk(struct capture *c, struct blkio_state *s, const struct disk_key *key, const struct disk_io *io,
		     uint64_t now_ns)
{
	struct known_disk *known = find_known(c, s, key);
	uint32_t first = s->probe.first_metric, operation = key->operation;
	const struct disk_io *before = &known->io;

	add_histogram(c, first + QUEUE_TIME + operation, known->resource, io->queue, before->queue);
	add_histogram(c, first + DEVICE_TIME + operation, known->resource, io->device, before->device);
	gauge(c, s, BYTES + operation, known->resource, io->bytes - before->bytes);
	gauge(c, s, SEQUENTIAL, known->resource, io->sequential - before->sequential);
	/* A discard that the device does not know is no harm. */
	if (io->errors > before->errors && io->last_error != 1) {
		gauge(c, s, ERRORS, known->resource, io->errors - before->errors);
		store_add_event(c->store, capture_time(c, now_ns), "disk.error", 0, known->resource,
				(int64_t)(io->errors - before->errors), error_name(io->last_error));
	}
	known->io = *io;
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
				find_known(c, s, &key)->io = io;
		}
		r = bpf_map_get_next_key(s->disks, &key, &next);
	}
}

static void add_user(struct capture *c, struct blkio_state *s, const struct disk_user_key *key,
		     const struct disk_user *user)
{
	/* Requests that are nobody's: made in an interrupt's wake while nothing ran. */
	const struct thread *t = key->tid ? tasks_recent(c->tasks, key->tid, key->tgid) : NULL;
	

	if (!t || (c->filter && !t->process->selected))
		return;
	uint32_t resource = find_known(c, s, &key->disk)->resource;
	capture_add(c, s->probe.first_metric + USER_BYTES + key->disk.operation, t->id, 0, resource, user->requests,
		    user->bytes);
	capture_add(c, s->probe.first_metric + USER_TIME, t->id, 0, resource, user->requests, user->ns);
}

static void read_users(struct capture *c, struct blkio_state *s, bool write)
{
	struct disk_user_key key;
	struct disk_user user;

	for (int i = 0; i < MOST_USERS && bpf_map_get_next_key(s->users, NULL, &key) == 0; i++) {
		if (map_take(s->users, &key, &user) < 0)
			return;
		if (write && key.disk.operation < DISK_OPERATIONS)
			add_user(c, s, &key, &user);
	}
}

static uint64_t lost(const struct capture *c)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		sum += c->cpu_slots[cpu].counter[LOST_REQUESTS];
	return sum;
}

static void start(struct capture *c, void *arg)
{
	struct blkio_state *s = arg;

	s->lost = lost(c);
	read_disks(c, s, false, 0);
	read_users(c, s, false);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct blkio_state *s = arg;
	uint64_t now = lost(c);

	read_disks(c, s, true, now_ns);
	read_users(c, s, true);
	gauge(c, s, LOST, 0, now - s->lost);
	s->lost = now;
}

static void stop(struct capture *c, void *arg)
{
	free(((struct blkio_state *)arg)->known);
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
		EACH_OPERATION(BYTES, "disk.bytes", "bytes", "size of"),
		EACH_OPERATION(USER_BYTES, "io", "bytes", "by thread and disk, size and count of"),
		[USER_TIME] = {"io.time", "ns", "by thread and disk: queue and device time of its requests"},
		[SEQUENTIAL] = {"disk.sequential", "count", "requests that began where the one before ended"},
		[ERRORS] = {"disk.errors", "count", "requests that failed"},
		[LOST] = {"lost.requests", "count", "disk requests that were not counted"},
		{0}},
	.object = perfscope_blkio_object,
	.object_size = &perfscope_blkio_object_size,
	.state_size = sizeof(struct blkio_state),
	.attach = attach,
	.start = start,
	.slice = slice,
	.stop = stop,
};
