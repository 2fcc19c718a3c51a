// SPDX-License-Identifier: BSD-2-Clause
#include "space.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "io.h"
#include "mem.h"
#include "search.h"

#define MAPS_BYTES (64 << 20)

DEFINE_CLEANUP(DIR *, closedir)

/* /proc/PID/maps is empty for a leader that has ended while its threads go on. */
static int read_maps(uint32_t pid, struct buf *b, uint32_t *ret_reader)
{
	char path[300];
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	_cleanup_(closedirp) DIR *threads = opendir(path);
	int r = threads ? 0 : -errno;
	while (threads && !b->len && (entry = readdir(threads))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		*ret_reader = (uint32_t)strtoul(entry->d_name, NULL, 10);
		snprintf(path, sizeof(path), "/proc/%u/task/%s/maps", pid, entry->d_name);
		r = read_file(path, MAPS_BYTES, b);
	}
	return r;
}

static void parse_line(struct space *s, char *line)
{
	unsigned long long start, end, offset, inode;
	unsigned int major, minor;
	char access[5];
	int path = 0;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, access, &offset, &major,
		   &minor, &inode, &path) < 7)
		return;
	GROW(s->items, s->count, s->capacity);
	s->items[s->count++] = (struct space_mapping){.start = start,
						      .end = end,
						      .offset = offset,
						      .inode = inode,
						      .major = major,
						      .minor = minor,
						      .executable = access[2] == 'x',
						      .writable = access[1] == 'w',
						      .path = path ? line + path : ""};
}

int space_new(uint32_t pid, struct space **ret)
{
	_cleanup_(space_freep) struct space *s = xcalloc(1, sizeof(*s));
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int r;

	s->pid = s->reader = pid;
	r = read_maps(pid, &b, &s->reader);
	if (r < 0)
		return r;
	s->text = buf_steal(&b);
	char *rest = s->text;
	for (char *line; (line = strsep(&rest, "\n"));)
		parse_line(s, line);
	*ret = s;
	s = NULL;
	return 0;
}

void space_free(struct space *s)
{
	if (!s)
		return;
	free(s->items);
	free(s->text);
	free(s);
}

const struct space_mapping *space_find(const struct space *s, uint64_t address)
{
	size_t count = COUNT_UP_TO(s->items, s->count, .start, address);

	return count && address < s->items[count - 1].end ? &s->items[count - 1] : NULL;
}

static bool of_file(const struct space_mapping *m)
{
	return m->path[0] == '/' && m->inode;
}

const struct space_mapping *space_data(const struct space *s, uint64_t address)
{
	const struct space_mapping *m = space_find(s, address);

	if (!m || of_file(m))
		return m;
	/* [heap] may begin where a program's variables end. */
	if (*m->path || m == s->items || m[-1].end != m->start || !of_file(&m[-1]) ||
	    !m[-1].writable)
		return NULL;
	return &m[-1];
}

size_t space_read(const struct space *s, uint64_t address, void *to, size_t len)
{
	struct iovec local = {to, len}, remote = {(void *)(uintptr_t)address, len};
	ssize_t n = process_vm_readv((pid_t)s->reader, &local, 1, &remote, 1, 0);

	return n > 0 ? (size_t)n : 0;
}

bool space_read_all(const struct space *s, uint64_t address, void *to, size_t len)
{
	return space_read(s, address, to, len) == len;
}

bool space_descriptor(const struct space *s, uint32_t tid, int fd, struct buf *b)
{
	char path[64], target[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/fd/%d", s->pid, tid, fd);
	ssize_t n = readlink(path, target, sizeof(target));
	buf_reset(b);
	if (n <= 0)
		return false;
	buf_add(b, target, (size_t)n);
	return true;
}

bool space_fdinfo(const struct space *s, uint32_t tid, int fd, struct buf *b)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/fdinfo/%d", s->pid, tid, fd);
	buf_reset(b);
	return read_file(path, 1 << 20, b) >= 0;
}
