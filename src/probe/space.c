// SPDX-License-Identifier: BSD-2-Clause
/* Whose calls fail because a file system is full. That is looked for only while one is nearly so: every system call pays. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fail.h"
#include "log.h"
#include "map_take.h"
#include "mem.h"
#include "mounts.h"
#include "probe.h"
#include "space.h"

enum { REFUSED, FILES };

enum {
	EVERY = 5,          /* slices between two looks, while there is much room everywhere */
	CLOSE_PERCENT = 10, /* free: looked at each slice, it may soon be full */
	FULL_PERCENT = 1,   /* free, and */
	FULL_BYTES = 256 << 20, /* less than that: what is asked for at once may not fit */
	MOST_FULL = 16,
};

struct full {
	uint32_t major, minor, resource;
};

struct space_state {
	struct probe_state probe;
	struct capture *capture;
	const struct bpf_program *program;
	struct bpf_link *link; /* NULL: there is room everywhere */
	int sums;
	uint32_t turn;
	bool close;
	struct full full[MOST_FULL];
	size_t full_count;
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

static void visit(void *arg, const struct mount *m)
{
	struct space_state *s = arg;

	if (m->read_only)
		return;
	s->close |= lacks(&m->space, CLOSE_PERCENT, UINT64_MAX);
	if (s->full_count < MOST_FULL && lacks(&m->space, FULL_PERCENT, FULL_BYTES))
		s->full[s->full_count++] =
			(struct full){m->major, m->minor, capture_resource(s->capture, "filesystem", m->name)};
}

static void look(struct space_state *s)
{
	s->close = false;
	s->full_count = 0;
	mounts_each(s->capture->tasks, visit, s);
	if (s->full_count && !s->link) {
		s->link = bpf_program__attach(s->program);
		if (!s->link)
			log_debug("attach to sys_exit: %s", strerror(errno));
	} else if (!s->full_count) {
		bpf_link__destroy(s->link);
		s->link = NULL;
	}
}

/* The file system's resource. Where the call does not say it, and one alone is full, it is that one. */
static uint32_t file_system(const struct space_state *s, uint32_t device)
{
	for (size_t i = 0; i < s->full_count; i++)
		if (device && s->full[i].major == device >> 20 && s->full[i].minor == (device & 0xfffff))
			return s->full[i].resource;
	return !device && s->full_count == 1 ? s->full[0].resource : 0;
}

struct refusal {
	struct space_state *state;
	uint64_t count;
	uint32_t task, resource;
};

static void stack_known(void *arg, const void *data, uint32_t stack)
{
	struct refusal r;

	memcpy(&r, data, sizeof(r));
	capture_add(r.state->capture, r.state->probe.first_metric + REFUSED, r.task, stack, r.resource, r.count, (int64_t)r.count);
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
	else if (r->fd != SPACE_NO_FD)
		snprintf(path, size, "%s", folder);
}

/* Of the folder that a path leads to; 0: not known. */
static uint32_t device_at(uint32_t pid, const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX + 64];
	struct stat st;

	if (!slash)
		return 0;
	snprintf(folder, sizeof(folder), "/proc/%u/root%.*s/", pid, (int)(slash - path), path);
	return stat(folder, &st) ? 0 : major(st.st_dev) << 20 | minor(st.st_dev);
}

static void record(struct capture *c, void *arg, const struct record *head)
{
	const struct space_record *r = (const struct space_record *)head;
	struct space_state *s = arg;
	struct thread *t = tasks_recent(c->tasks, head->tid, head->tgid);
	uint32_t device = r->key.device;
	char path[PATH_MAX + SPACE_PATH_BYTES];

	if (!s->capture || (c->filter && !t->process->selected))
		return;
	full_path(r, path, sizeof(path));
	if (!device && r->is_path)
		device = device_at(head->tgid, path);
	struct refusal data = {.state = s, .count = r->count, .task = t->id,
			       .resource = file_system(s, device)};
	if (path[0])
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

		if (sum.count && (!c->filter || t->process->selected))
			capture_add(c, s->probe.first_metric + REFUSED, t->id, 0, file_system(s, key.device), sum.count, (int64_t)sum.count);
	}
}

static void start(struct capture *c, void *arg)
{
	struct space_state *s = arg;

	s->capture = c;
	look(s);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct space_state *s = arg;

	if (s->link)
		take_rest(c, s);
	if (s->turn++ % EVERY == 0 || s->close)
		look(s);
}

static void detach(struct capture *c, void *arg)
{
	struct space_state *s = arg;

	bpf_link__destroy(s->link);
	s->link = NULL;
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
	.records = 1u << RECORD_SPACE,
};
