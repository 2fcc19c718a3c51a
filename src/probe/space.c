// SPDX-License-Identifier: BSD-2-Clause
/* Whose calls fail because a file system is full. That is looked for only while one is nearly so, or is filled and
 * emptied by turns: every system call pays. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fail.h"
#include "hash.h"
#include "map_take.h"
#include "mem.h"
#include "mounts.h"
#include "probe.h"
#include "space.h"
#include "text.h"

enum { REFUSED, FILES };

enum {
	CLOSE_PERCENT = 10, /* free: asked each slice, it may soon be full */
	FULL_PERCENT = 1,   /* free, and */
	FULL_BYTES = 256 << 20, /* less than that: what is asked for at once may not fit */
	MOST_TOLD = 32,     /* files, a slice */
	SMALL_BYTES = 1 << 30, /* is filled within a moment: asked each slice, */
	MOST_SMALL = 64,       /* so many of them */
	RESTLESS_PERCENT = 10, /* of a file system, filled or emptied within a slice */
	RESTLESS_SLICES = 6,   /* that is remembered for so long */
};

struct space_state {
	struct probe_state probe;
	struct capture *capture;
	const struct bpf_program *program;
	struct bpf_link *link; /* NULL: there is room everywhere */
	int sums;
	unsigned told;
	struct map *last; /* by thread: the file system that its last record was of, where the call does not say it */
	struct map *available; /* by device: blocks that were free at the last look */
	struct map *restless;  /* by device: until which slice it counts as filled and emptied by turns */
	uint32_t slice;
	bool failed; /* to attach the program */
};

/* Calls that may want more room. Architectures younger than x86 lack those that newer ones have replaced. */
#define CALL(name, what) [SYS_##name] = SPACE_##what
static const uint8_t calls[SPACE_CALLS] = {
	CALL(write, FD), CALL(pwrite64, FD), CALL(writev, FD), CALL(pwritev, FD), CALL(pwritev2, FD), CALL(sendfile, FD),
	CALL(ftruncate, FD), CALL(fallocate, FD), CALL(fsync, FD), CALL(fdatasync, FD), CALL(sync_file_range, FD),
	CALL(copy_file_range, UNKNOWN), CALL(splice, UNKNOWN), CALL(msync, UNKNOWN), CALL(symlinkat, UNKNOWN),
	CALL(openat, FD_AND_PATH), CALL(mkdirat, FD_AND_PATH), CALL(mknodat, FD_AND_PATH), CALL(renameat2, FD_AND_PATH),
	CALL(linkat, FD_AND_PATH), CALL(truncate, PATH),
#ifdef SYS_openat2
	CALL(openat2, FD_AND_PATH),
#endif
#ifdef SYS_renameat
	CALL(renameat, FD_AND_PATH),
#endif
#ifdef SYS_open
	CALL(open, PATH), CALL(creat, PATH), CALL(mkdir, PATH), CALL(mknod, PATH), CALL(rename, PATH), CALL(link, PATH),
	CALL(symlink, SECOND_PATH),
#endif
};

static int prepare(const struct capture *c, struct bpf_object *object)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, "space_exit");
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.calls");

	if (!program || !map || bpf_map__set_initial_value(map, calls, sizeof(calls)))
		return fail(-ENOENT, "set .rodata.calls");
	bpf_program__set_autoattach(program, false);
	return 0;
}

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct space_state *s = arg;

	s->program = bpf_object__find_program_by_name(object, "space_exit");
	s->sums = bpf_object__find_map_fd_by_name(object, "space_sums");
	if (!s->program || !bpf_program__autoload(s->program) || s->sums < 0)
		return fail(-ENOENT, "see system calls return");
	return 0;
}

static bool is_below(uint64_t available, uint64_t all, uint64_t block, uint64_t percent, uint64_t bytes)
{
	return available * 100 < all * percent && available * block < bytes;
}

static bool lacks(const struct statvfs *v, uint64_t percent, uint64_t bytes)
{
	return is_below(v->f_bavail, v->f_blocks, v->f_frsize, percent, bytes) ||
	       (v->f_files && is_below(v->f_favail, v->f_files, 1, percent, UINT64_MAX));
}

static bool is_full(const struct mount *m)
{
	return !m->read_only && lacks(&m->space, FULL_PERCENT, FULL_BYTES);
}

static void watch(struct space_state *s, bool on)
{
	if (!on) {
		bpf_link__destroy(s->link);
		s->link = NULL;
	} else if (!s->link && !s->failed) {
		s->link = bpf_program__attach(s->program);
		s->failed = !s->link;
		if (s->failed) {
			fail(-errno, "attach to sys_exit");
			store_add_unavailable(s->capture->store, "space", fail_message());
		}
	}
}

static uint32_t device_of(const struct mount *m)
{
	return m->major << 20 | m->minor;
}

/* One that is filled and emptied by turns is full only for moments. */
static void note_change(struct space_state *s, const struct mount *m)
{
	uint64_t before, now = m->space.f_bavail;

	if (map_get(s->available, device_of(m), &before)) {
		uint64_t change = before > now ? before - now : now - before, least = before < now ? before : now;

		/* As much again would nearly fill it. */
		if (change * 100 >= (uint64_t)m->space.f_blocks * RESTLESS_PERCENT && least <= 2 * change)
			map_put(s->restless, device_of(m), s->slice + RESTLESS_SLICES);
	}
	map_put(s->available, device_of(m), now);
}

static bool is_restless(const struct space_state *s, uint32_t device)
{
	uint64_t until;

	return map_get(s->restless, device, &until) && s->slice < until;
}

static void look(struct space_state *s)
{
	struct mounts *mounts = s->capture->mounts;
	unsigned asked = 0;
	bool wanted = false;

	mounts_look(mounts, s->capture->tasks);
	for (size_t i = 0; i < mounts_count(mounts); i++) {
		struct mount *m = mounts_get(mounts, i);

		if (m->read_only)
			continue;
		if (lacks(&m->space, CLOSE_PERCENT, UINT64_MAX) ||
		    (m->space.f_blocks * m->space.f_frsize < SMALL_BYTES && asked++ < MOST_SMALL))
			mount_ask(m);
		note_change(s, m);
		wanted |= is_full(m) || is_restless(s, device_of(m));
	}
	watch(s, wanted);
}

/* That of a device, if it is full, or has become so since it was asked, or is so now and then. */
static struct mount *full_device(const struct space_state *s, uint32_t device)
{
	struct mounts *mounts = s->capture->mounts;

	for (size_t i = 0; i < mounts_count(mounts); i++) {
		struct mount *m = mounts_get(mounts, i);

		if (device_of(m) == device)
			return is_restless(s, device) || is_full(m) || (mount_ask(m) && is_full(m)) ? m : NULL;
	}
	return NULL;
}

/* How much of a path is the place where the file system is mounted. */
static size_t length_above(const struct mount *m, const char *path)
{
	size_t length = strlen(m->path);

	return is_path_in(path, m->path, length) ? length : 0;
}

/* Where the call does not say the device: the one that is full and that the path leads to, or that alone is full. The path is not
 * looked up: that could take for ever. False: none is full. */
static bool full_at(const struct space_state *s, uint32_t pid, const char *path, struct mount **ret)
{
	struct mounts *mounts = s->capture->mounts;
	uint64_t namespace = path[0] == '/' ? mounts_namespace(pid) : 0;
	size_t longest = 0, count = 0;
	struct mount *found = NULL, *any = NULL;

	for (size_t i = 0; i < mounts_count(mounts); i++) {
		struct mount *m = mounts_get(mounts, i);
		size_t length;

		if (!is_full(m) && !is_restless(s, device_of(m)))
			continue;
		any = m;
		count++;
		length = m->namespace == namespace ? length_above(m, path) : 0;
		if (length > longest) {
			longest = length;
			found = m;
		}
	}
	*ret = found ? found : count == 1 ? any : NULL;
	return count;
}

/* False: calls fail for another reason than that a file system is full. Resource 0: it is not known which. */
static bool find_full(const struct space_state *s, const struct space_key *key, const char *path, uint32_t *ret_resource)
{
	struct mount *m = NULL;

	if (key->device)
		m = full_device(s, key->device);
	else if (!full_at(s, key->tgid, path, &m))
		return false;
	*ret_resource = m ? capture_resource(s->capture, "filesystem", m->name) : 0;
	return m || !key->device;
}

/* May outlive the probe. */
struct refusal {
	struct capture *capture;
	uint64_t count;
	uint32_t metric, task, resource;
};

static void stack_known(void *arg, const void *data, uint32_t stack)
{
	struct refusal r;

	memcpy(&r, data, sizeof(r));
	capture_add(r.capture, r.metric, r.task, stack, r.resource, r.count, (int64_t)r.count);
}

/* The descriptor may stand for another file by now. */
static bool is_named(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	size_t length = strlen(name);

	return slash && length && !strncmp(slash + 1, name, length) && (!slash[1 + length] || !strcmp(slash + 1 + length, " (deleted)"));
}

/* A path in the words of the process: its folders are another's who lives in another mount namespace. */
static void full_path(const struct space_record *r, char *path, size_t size)
{
	char link[64], folder[PATH_MAX];
	ssize_t length;

	snprintf(path, size, "%.*s", SPACE_PATH_BYTES, r->path);
	if (r->is_path && r->path[0] == '/')
		return;
	if (r->fd == SPACE_NO_FD || (int)r->fd == -100 /* AT_FDCWD */)
		snprintf(link, sizeof(link), "/proc/%u/cwd", r->head.tgid);
	else
		snprintf(link, sizeof(link), "/proc/%u/fd/%u", r->head.tgid, r->fd);
	length = readlink(link, folder, sizeof(folder) - 1);
	if (length <= 0)
		return;
	folder[length] = 0;
	if (r->is_path)
		snprintf(path, size, "%s/%.*s", folder, SPACE_PATH_BYTES, r->path);
	else if (is_named(folder, path))
		snprintf(path, size, "%s", folder);
}

static void record(struct capture *c, void *arg, const struct record *head)
{
	const struct space_record *r = (const struct space_record *)head;
	struct space_state *s = arg;
	struct thread *t = tasks_recent(c->tasks, head->tid, head->tgid);
	char path[PATH_MAX + SPACE_PATH_BYTES];
	struct refusal data = {.capture = c, .count = r->count, .metric = s->probe.first_metric + REFUSED, .task = t->id};

	if (!s->capture || (c->filter && !t->process->selected))
		return;
	full_path(r, path, sizeof(path));
	if (!find_full(s, &r->key, path, &data.resource))
		return;
	if (!r->key.device)
		map_put(s->last, head->tid, data.resource);
	if (path[0] && s->told++ < MOST_TOLD)
		capture_add(c, s->probe.first_metric + FILES, t->id, 0, capture_resource(c, "file", path), 1,
			    (int64_t)r->size);
	stacks_resolve(c->stacks, t->process, &r->stack, capture_time(c, head->time_ns), stack_known, &data, sizeof(data));
}

/* What no record has told. */
static void take_rest(struct capture *c, struct space_state *s)
{
	struct space_key key;
	struct space_sum sum;
	struct map_pass pass = {0};

	while (map_take(s->sums, &pass, &key, sizeof(key), &sum) == 0) {
		const struct thread *t = tasks_recent(c->tasks, key.tid, key.tgid);
		uint32_t resource;
		uint64_t last;

		if (!sum.count || (c->filter && !t->process->selected) || !find_full(s, &key, "", &resource))
			continue;
		if (!resource && map_get(s->last, key.tid, &last))
			resource = (uint32_t)last;
		capture_add(c, s->probe.first_metric + REFUSED, t->id, 0, resource, sum.count, (int64_t)sum.count);
	}
}

static void start(struct capture *c, void *arg)
{
	struct space_state *s = arg;

	s->capture = c;
	s->last = map_new();
	s->available = map_new();
	s->restless = map_new();
	look(s);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct space_state *s = arg;

	if (s->link)
		take_rest(c, s);
	s->told = 0;
	s->slice++;
	look(s);
}

static void detach(struct capture *c, void *arg)
{
	struct space_state *s = arg;

	bpf_link__destroy(s->link);
	s->link = NULL;
}

static void stop(struct capture *c, void *arg)
{
	struct space_state *s = arg;

	map_free(s->last);
	map_free(s->available);
	map_free(s->restless);
}

extern const char perfscope_space_object[];
extern const unsigned long perfscope_space_object_size;

const struct probe probe_space = {
	.name = "space",
	.help = "calls that fail because a file system is full",
	.metrics = (const struct probe_metric[]){
		[REFUSED] = {"space.refused", "count", "calls that a file system had no room for, by stack and file system"},
		[FILES] = {"space.file", "bytes", "by file that had no room: how large it was, a few times a second"},
		{0}},
	.object = perfscope_space_object,
	.object_size = &perfscope_space_object_size,
	.state_size = sizeof(struct space_state),
	.prepare = prepare,
	.attach = attach,
	.start = start,
	.record = record,
	.slice = slice,
	.detach = detach,
	.stop = stop,
	.records = 1u << RECORD_SPACE,
};
