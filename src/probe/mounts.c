// SPDX-License-Identifier: BSD-2-Clause
#include "mounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "buf.h"
#include "cleanup.h"
#include "io.h"
#include "mem.h"
#include "tasks.h"

static const char *const local_types[] = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "vfat",
					  "exfat", "ntfs3", "jfs", "reiserfs", "tmpfs", "overlay", "nilfs2"};

enum { MOST_NAMESPACES = 64, MOST_PROCESSES = 1000 }; /* that are looked at */

struct device {
	uint32_t major, minor;
};

struct seen {
	struct device *items;
	size_t count, capacity;
};

/* Mounts as one process sees them, the oldest of those that see the same. */
struct namespace {
	uint64_t id;
	const struct process *process;
};

struct namespaces {
	struct namespace items[MOST_NAMESPACES];
	size_t count;
};

static bool is_local(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(local_types); i++)
		if (!strcmp(type, local_types[i]))
			return true;
	return false;
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

static bool is_new(struct seen *s, const struct mount *m)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].major == m->major && s->items[i].minor == m->minor)
			return false;
	GROW(s->items, s->count, s->capacity);
	s->items[s->count++] = (struct device){m->major, m->minor};
	return true;
}

/* "ID PARENT MAJOR:MINOR ROOT PATH OPTIONS ... - TYPE SOURCE OPTIONS". */
static bool read_mount(const char *line, const char *root, struct mount *m, char *path, struct seen *seen)
{
	const char *dash = strstr(line, " - ");
	char type[32], there[1100];

	if (!dash || sscanf(line, "%*u %*u %u:%u %*s %1023s", &m->major, &m->minor, path) != 3 ||
	    sscanf(dash, " - %31s", type) != 1 || !is_local(type) || !is_new(seen, m))
		return false;
	unescape(path);
	snprintf(there, sizeof(there), "%s%s", root, path);
	if (statvfs(there, &m->space) || !m->space.f_blocks)
		return false;
	m->read_only = m->space.f_flag & ST_RDONLY;
	return true;
}

/* Of perfscope's own namespace with process NULL. */
static void each_in(const struct process *process, struct seen *seen, void (*visit)(void *arg, const struct mount *mount), void *arg)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char file[64] = "/proc/self/mountinfo", root[64] = "", path[1024], name[1100], *rest;

	if (process) {
		snprintf(file, sizeof(file), "/proc/%u/mountinfo", process->pid);
		snprintf(root, sizeof(root), "/proc/%u/root", process->pid);
	}
	if (read_file(file, 1 << 20, &b) < 0)
		return;
	rest = b.data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		struct mount m = {.name = process ? name : path};

		if (!read_mount(line, root, &m, path, seen))
			continue;
		if (process)
			snprintf(name, sizeof(name), "%s of %.*s (%u)", path, COMM_LENGTH, process->comm, process->pid);
		visit(arg, &m);
	}
}

static uint64_t namespace_of(const char *pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
	return stat(path, &st) ? 0 : st.st_ino;
}

static void add_namespace(struct namespaces *all, const struct process *p, uint64_t own)
{
	char pid[16];
	uint64_t id;

	snprintf(pid, sizeof(pid), "%u", p->pid);
	id = namespace_of(pid);
	if (!id || id == own)
		return;
	for (size_t i = 0; i < all->count; i++) {
		struct namespace *n = &all->items[i];

		if (n->id != id)
			continue;
		if (p->pid < n->process->pid)
			n->process = p;
		return;
	}
	if (all->count < MOST_NAMESPACES)
		all->items[all->count++] = (struct namespace){id, p};
}

void mounts_each(const struct tasks *tasks, void (*visit)(void *arg, const struct mount *mount), void *arg)
{
	uint64_t own = namespace_of("self");
	struct namespaces others = {0};
	struct seen seen = {0};
	unsigned left = MOST_PROCESSES;

	for (uint32_t i = 0; i < tasks_count(tasks) && left; i++) {
		const struct thread *t = tasks_get(tasks, i);

		if (t->tid != t->process->pid || t->process->flags & PROCESS_KERNEL)
			continue;
		add_namespace(&others, t->process, own);
		left--;
	}
	each_in(NULL, &seen, visit, arg);
	for (size_t i = 0; i < others.count; i++)
		each_in(others.items[i].process, &seen, visit, arg);
	free(seen.items);
}
