// SPDX-License-Identifier: BSD-2-Clause
#include "holders.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "mem.h"
#include "search.h"
#include "text.h"

#define MOST_HOLDERS (1u << 20) /* 24 MiB: a machine with more gets no names for the rest */

DEFINE_CLEANUP(DIR *, closedir)

static uint64_t inode_of(const char *target)
{
	static const char *const kinds[] = {"socket:[", "pipe:["};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (starts_with(target, kinds[i]))
			return strtoull(target + strlen(kinds[i]), NULL, 10);
	return 0;
}

static void add_descriptor(struct holders *h, uint32_t pid, int directory, const char *name)
{
	char target[64];
	struct stat st;
	ssize_t n = readlinkat(directory, name, target, sizeof(target) - 1);

	if (n <= 0)
		return;
	target[n] = 0;
	uint64_t inode = inode_of(target);
	/* The link's own rights say how the file was opened. */
	if (!inode || fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	GROW(h->items, h->count, h->capacity);
	h->items[h->count++] = (struct holder){.inode = inode,
					       .pid = pid,
					       .reads = st.st_mode & S_IRUSR,
					       .writes = st.st_mode & S_IWUSR};
}

static void add_process(struct holders *h, uint32_t pid)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	_cleanup_(closedirp) DIR *descriptors = opendir(path);
	if (!descriptors)
		return;
	for (struct dirent *entry; h->count < MOST_HOLDERS && (entry = readdir(descriptors));)
		if (isdigit((unsigned char)entry->d_name[0]))
			add_descriptor(h, pid, dirfd(descriptors), entry->d_name);
}

static int by_inode(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* One process's descriptors of one inode become one holder. */
static void merge(struct holders *h)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->count; i++) {
		struct holder *last = kept ? &h->items[kept - 1] : NULL;

		if (last && last->inode == h->items[i].inode && last->pid == h->items[i].pid) {
			last->reads |= h->items[i].reads;
			last->writes |= h->items[i].writes;
		} else {
			h->items[kept++] = h->items[i];
		}
	}
	h->count = kept;
}

void holders_read(struct holders *h)
{
	_cleanup_(closedirp) DIR *processes = opendir("/proc");

	for (struct dirent *entry; processes && (entry = readdir(processes));)
		if (isdigit((unsigned char)entry->d_name[0]))
			add_process(h, (uint32_t)strtoul(entry->d_name, NULL, 10));
	if (h->count)
		qsort(h->items, h->count, sizeof(*h->items), by_inode);
	merge(h);
}

void holders_done(struct holders *h)
{
	free(h->items);
	*h = (struct holders){0};
}

const struct holder *holders_of(const struct holders *h, uint64_t inode, size_t *ret_count)
{
	size_t end = COUNT_UP_TO(h->items, h->count, .inode, inode), first = end;

	while (first && h->items[first - 1].inode == inode)
		first--;
	*ret_count = end - first;
	return *ret_count ? &h->items[first] : NULL;
}
