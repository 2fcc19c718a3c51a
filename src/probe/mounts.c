// SPDX-License-Identifier: BSD-2-Clause
#include "mounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "io.h"
#include "mem.h"
#include "tasks.h"
#include "text.h"

static const char *const local_types[] = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "vfat",
					  "exfat", "ntfs3", "jfs", "reiserfs", "tmpfs", "overlay", "nilfs2"};
/* That have no room to tell of, but local ones may be mounted below them. */
static const char *const quick_types[] = {"rootfs", "ramfs", "devtmpfs", "proc", "sysfs", "squashfs", "erofs", "iso9660", "udf"};

#define PAUSE_NS (4500 * NS_PER_MS) /* between two looks at least: five slices; space does not fill in a moment */

enum {
	MOST_NAMESPACES = 64,
	MOST_PROCESSES = 1000, /* whose namespace is asked for at once; the others' turn comes later */
	MOST_MOUNTS = 4096,    /* that are asked at once */
	MOST_BYTES = 4 << 20,  /* of a list of mounts */
};

/* Mounts as one process sees them: the oldest of those that see the same, when they were first seen. */
struct namespace {
	uint64_t id;
	uint32_t pid;
	char comm[COMM_LENGTH];
};

struct mounts {
	struct namespace others[MOST_NAMESPACES];
	size_t other_count;
	uint64_t own; /* perfscope's */
	struct mount *items;
	size_t count, capacity, asked;
	uint32_t next; /* thread whose turn it is */
	uint64_t looked_ns;
	uint32_t looks; /* 0: none yet */
};

/* One line of mountinfo. */
struct line {
	uint32_t major, minor;
	char path[1024], type[32];
};

/* Paths at and below which a walk may hang. */
struct slow {
	char **paths;
	size_t count, capacity;
};

static bool is_one_of(const char *type, const char *const *types, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

static bool is_local(const char *type)
{
	return is_one_of(type, local_types, ARRAY_SIZE(local_types));
}

/* mountinfo writes white space and backslashes in octal. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *p = path; *p; p++) {
		unsigned code;

		if (*p == '\\' && sscanf(p + 1, "%3o", &code) == 1 && code < 256 && strspn(p + 1, "01234567") >= 3) {
			*to++ = (char)code;
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = 0;
}

/* "ID PARENT MAJOR:MINOR ROOT PATH OPTIONS ... - TYPE SOURCE OPTIONS". */
static bool parse(const char *text, struct line *l)
{
	const char *dash = strstr(text, " - ");

	if (!dash || sscanf(text, "%*u %*u %u:%u %*s %1023s", &l->major, &l->minor, l->path) != 3 ||
	    sscanf(dash, " - %31s", l->type) != 1)
		return false;
	unescape(l->path);
	return true;
}

static bool is_slow(const struct slow *s, const char *path)
{
	for (size_t i = 0; i < s->count; i++)
		if (is_path_in(path, s->paths[i], strlen(s->paths[i])))
			return true;
	return false;
}

static void slow_done(struct slow *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->paths[i]);
	free(s->paths);
}

bool mount_ask(struct mount *m)
{
	if (statvfs(m->there, &m->space) || !m->space.f_blocks)
		return false;
	m->read_only = m->space.f_flag & ST_RDONLY;
	return true;
}

static void mount_done(struct mount *m)
{
	free(m->path);
	free(m->name);
	free(m->there);
}

/* What is mounted later at the same path lies over what was there. */
static bool is_known(struct mounts *m, const struct namespace *n, const struct line *l)
{
	for (size_t i = 0; i < m->count; i++) {
		struct mount *known = &m->items[i];

		if (known->major == l->major && known->minor == l->minor)
			return true;
		if (known->namespace == n->id && !strcmp(known->path, l->path)) {
			known->major = l->major;
			known->minor = l->minor;
			return true;
		}
	}
	return false;
}

/* n: where it is seen; pid 0: from here. */
static void add(struct mounts *m, const struct namespace *n, const struct line *l)
{
	struct mount new = {.major = l->major, .minor = l->minor, .namespace = n->id};

	if (strlen(l->path) + 1 == sizeof(l->path) || is_known(m, n, l) || m->asked++ >= MOST_MOUNTS)
		return;
	new.path = xstrdup(l->path);
	new.name = n->pid ? xasprintf("%s of %.*s (%u)", l->path, COMM_LENGTH, n->comm, n->pid) : xstrdup(l->path);
	new.there = n->pid ? xasprintf("/proc/%u/root%s", n->pid, l->path) : xstrdup(l->path);
	if (!mount_ask(&new)) {
		mount_done(&new);
		return;
	}
	GROW(m->items, m->count, m->capacity);
	m->items[m->count++] = new;
}

/* What is mounted there now hides what was: an automount, once somebody has come by. */
static void uncover(struct slow *slow, const char *path)
{
	size_t kept = 0;

	for (size_t i = 0; i < slow->count; i++)
		if (strcmp(slow->paths[i], path))
			slow->paths[kept++] = slow->paths[i];
		else
			free(slow->paths[i]);
	slow->count = kept;
}

/* Where a walk to local mounts is no good idea. False: on the way to any. What lies above "/" is not seen, so that must be a mount. */
static bool find_slow(const struct buf *lines, struct slow *slow)
{
	bool root = false;
	struct line l;

	for (const char *text = lines->data; text < lines->data + lines->len; text += strlen(text) + 1) {
		if (!parse(text, &l))
			continue;
		root |= !strcmp(l.path, "/");
		if (is_local(l.type) || is_one_of(l.type, quick_types, ARRAY_SIZE(quick_types))) {
			uncover(slow, l.path);
			continue;
		}
		GROW(slow->paths, slow->count, slow->capacity);
		slow->paths[slow->count++] = xstrdup(l.path);
	}
	return root;
}

static void add_all(struct mounts *m, const struct namespace *n)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	_cleanup_(slow_done) struct slow slow = {0};
	char file[64] = "/proc/self/mountinfo";
	struct line l;

	if (n->pid)
		snprintf(file, sizeof(file), "/proc/%u/mountinfo", n->pid);
	if (read_file(file, MOST_BYTES, &b) < 0)
		return;
	for (char *end = b.data; (end = memchr(end, '\n', (size_t)(b.data + b.len - end)));)
		*end++ = 0;
	if (!find_slow(&b, &slow))
		return;
	for (const char *text = b.data; text < b.data + b.len; text += strlen(text) + 1)
		if (parse(text, &l) && is_local(l.type) && !is_slow(&slow, l.path))
			add(m, n, &l);
}

uint64_t mounts_namespace(uint32_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/ns/mnt", pid);
	return stat(path, &st) ? 0 : st.st_ino;
}

/* Those whose process is gone go: if others live there, they are found. */
static void keep_living(struct mounts *m, const struct tasks *tasks)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->other_count; i++) {
		struct namespace n = m->others[i];
		const struct process *p = tasks_find_process(tasks, n.pid);

		if (mounts_namespace(n.pid) != n.id)
			continue;
		if (p)
			memcpy(n.comm, p->comm, sizeof(n.comm));
		m->others[kept++] = n;
	}
	m->other_count = kept;
}

static void note_process(struct mounts *m, const struct process *p, size_t first_new)
{
	uint64_t id = mounts_namespace(p->pid);
	size_t i = 0;

	if (!id || id == m->own)
		return;
	while (i < m->other_count && m->others[i].id != id)
		i++;
	if (i == MOST_NAMESPACES || (i < m->other_count && (i < first_new || m->others[i].pid < p->pid)))
		return;
	m->others[i] = (struct namespace){.id = id, .pid = p->pid};
	memcpy(m->others[i].comm, p->comm, sizeof(p->comm));
	m->other_count += i == m->other_count;
}

static void find_namespaces(struct mounts *m, const struct tasks *tasks)
{
	uint32_t count = tasks_count(tasks), left = MOST_PROCESSES;
	size_t first_new;

	keep_living(m, tasks);
	first_new = m->other_count;
	for (uint32_t i = 0; i < count && left; i++) {
		const struct thread *t = tasks_get(tasks, m->next++ % count);

		if (t->tid != t->process->pid || t->process->flags & PROCESS_KERNEL)
			continue;
		note_process(m, t->process, first_new);
		left--;
	}
}

static void forget(struct mounts *m)
{
	for (size_t i = 0; i < m->count; i++)
		mount_done(&m->items[i]);
	m->count = m->asked = 0;
}

struct mounts *mounts_new(void)
{
	struct mounts *m = xcalloc(1, sizeof(*m));

	m->own = mounts_namespace((uint32_t)getpid());
	return m;
}

void mounts_free(struct mounts *m)
{
	if (!m)
		return;
	forget(m);
	free(m->items);
	free(m);
}

uint32_t mounts_look(struct mounts *m, const struct tasks *tasks)
{
	uint64_t now = clock_mono_ns();

	if (m->looks && now < m->looked_ns + PAUSE_NS)
		return m->looks;
	m->looked_ns = now;
	forget(m);
	find_namespaces(m, tasks);
	add_all(m, &(struct namespace){.id = m->own});
	for (size_t i = 0; i < m->other_count; i++)
		add_all(m, &m->others[i]);
	return ++m->looks;
}

size_t mounts_count(const struct mounts *m)
{
	return m->count;
}

struct mount *mounts_get(struct mounts *m, size_t i)
{
	return &m->items[i];
}
