// SPDX-License-Identifier: BSD-2-Clause
#include "table_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"
#include "text.h"

#define CACHE_BYTES (256u << 20)
#define CACHE_FILES 65536
#define UNFINISHED_S 3600 /* files of runs that were killed */
#define SUFFIX ".table"
#define UNFINISHED "unfinished-"

struct table_cache {
	char *path; /* "": none */
	int fd; /* of the directory; -1: not opened (yet) */
	bool tried;
	bool counted;
	uint64_t bytes; /* in it, as far as is known */
	char name[TABLE_NAME_MAX], unfinished[TABLE_NAME_MAX]; /* "": none is being written */
};

struct entry {
	char *name;
	uint64_t size;
	int64_t used_s;
};

static char *usual_directory(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		return xstrdup("/var/cache/perfscope");
	if (cache && *cache == '/')
		return xasprintf("%s/perfscope", cache);
	if (home && *home == '/')
		return xasprintf("%s/.cache/perfscope", home);
	return xstrdup("");
}

struct table_cache *table_cache_new(const char *directory)
{
	struct table_cache *c = xcalloc(1, sizeof(*c));

	c->path = directory ? xstrdup(directory) : usual_directory();
	c->fd = -1;
	return c;
}

void table_cache_free(struct table_cache *c)
{
	if (!c)
		return;
	table_cache_abandon(c);
	if (c->fd >= 0)
		close(c->fd);
	free(c->path);
	free(c);
}

void table_cache_name(const struct stat *st, char ret_name[TABLE_NAME_MAX])
{
	snprintf(ret_name, TABLE_NAME_MAX, "%llx-%llx-%llx-%llx.%llx" SUFFIX,
		 (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
		 (unsigned long long)st->st_size, (unsigned long long)st->st_ctim.tv_sec,
		 (unsigned long long)st->st_ctim.tv_nsec);
}

/* Ours alone, or nobody's: root must not read tables that someone else may write. */
static bool is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	       ((st.st_mode & 077) == 0 || fchmod(fd, 0700) == 0);
}

static void make_parent(const char *path)
{
	_cleanup_free_ char *parent = xstrdup(path);
	char *slash = strrchr(parent, '/');

	if (!slash || slash == parent)
		return;
	*slash = 0;
	mkdir(parent, 0700);
}

static int directory(struct table_cache *c)
{
	if (c->tried)
		return c->fd;
	c->tried = true;
	if (!*c->path)
		return -1;
	make_parent(c->path);
	if (mkdir(c->path, 0700) < 0 && errno != EEXIST)
		return -1;
	c->fd = open(c->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->fd >= 0 && !is_ours(c->fd)) {
		close(c->fd);
		c->fd = -1;
	}
	return c->fd;
}

int table_cache_open(struct table_cache *c, const char *name)
{
	struct stat st;

	if (directory(c) < 0)
		return -ENOENT;
	int fd = openat(c->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    st.st_size <= TABLE_FILE_MAX) {
		futimens(fd, NULL); /* used: not the next to be removed */
		return fd;
	}
	close(fd);
	return -EPERM;
}

/* A file of this cache that may be removed. */
static bool read_entry(struct table_cache *c, const char *name, struct entry *ret)
{
	struct stat st;

	if (fstatat(c->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (starts_with(name, UNFINISHED)) {
		if (time(NULL) - st.st_mtime > UNFINISHED_S)
			unlinkat(c->fd, name, 0);
		return false;
	}
	if (!ends_with(name, SUFFIX))
		return false;
	*ret = (struct entry){.size = (uint64_t)st.st_size, .used_s = st.st_mtime};
	return true;
}

static int oldest_first(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

static size_t list(struct table_cache *c, struct entry **ret_entries)
{
	struct entry *entries = NULL, entry;
	size_t count = 0, capacity = 0;
	int fd = openat(c->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	c->bytes = 0;
	while (dir && count < CACHE_FILES && (d = readdir(dir))) {
		if (!read_entry(c, d->d_name, &entry))
			continue;
		entry.name = xstrdup(d->d_name);
		GROW(entries, count, capacity);
		entries[count++] = entry;
		c->bytes += entry.size;
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	*ret_entries = entries;
	return count;
}

/* Remove what was used longest ago, a quarter at a time so that it is not needed for every new
 * table. */
static void make_room(struct table_cache *c, uint64_t size)
{
	_cleanup_free_ struct entry *entries = NULL;

	if (c->counted && c->bytes + size <= CACHE_BYTES)
		return;
	size_t count = list(c, &entries);
	c->counted = true;
	if (count)
		qsort(entries, count, sizeof(*entries), oldest_first);
	bool full = c->bytes + size > CACHE_BYTES;
	for (size_t i = 0; i < count; i++) {
		if (full && c->bytes + size > CACHE_BYTES / 4 * 3 &&
		    unlinkat(c->fd, entries[i].name, 0) == 0)
			c->bytes -= entries[i].size;
		free(entries[i].name);
	}
}

int table_cache_create(struct table_cache *c, const char *name, uint64_t size)
{
	table_cache_abandon(c);
	if (directory(c) < 0 || !size || size > TABLE_FILE_MAX)
		return -ENOENT;
	make_room(c, size);
	snprintf(c->unfinished, sizeof(c->unfinished), UNFINISHED "%d-%llx", (int)getpid(),
		 (unsigned long long)clock_mono_ns());
	int fd = openat(c->fd, c->unfinished, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
	if (fd < 0) {
		c->unfinished[0] = 0;
		return -errno;
	}
	snprintf(c->name, sizeof(c->name), "%s", name);
	int r = posix_fallocate(fd, 0, (off_t)size);
	if (r == 0) {
		c->bytes += size;
		return fd;
	}
	close(fd);
	table_cache_abandon(c);
	return -r;
}

/* Whoever checks a table once must be able to rely on it: not on what the child that wrote it may still write to. */
static bool copy_finished(struct table_cache *c, const char *copy)
{
	_cleanup_close_ int from = openat(c->fd, c->unfinished, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int to = openat(c->fd, copy, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;
	ssize_t n = 1;

	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return false;
	for (off_t left = st.st_size; left > 0 && n > 0; left -= n)
		n = sendfile(to, from, NULL, (size_t)left);
	return n > 0;
}

void table_cache_keep(struct table_cache *c)
{
	char copy[sizeof(c->unfinished) + 8];

	if (!c->unfinished[0])
		return;
	snprintf(copy, sizeof(copy), "%s-copy", c->unfinished);
	if (!copy_finished(c, copy) || renameat(c->fd, copy, c->fd, c->name) < 0)
		unlinkat(c->fd, copy, 0);
	table_cache_abandon(c);
}

void table_cache_abandon(struct table_cache *c)
{
	if (c->unfinished[0])
		unlinkat(c->fd, c->unfinished, 0);
	c->unfinished[0] = 0;
}
