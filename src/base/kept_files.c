// SPDX-License-Identifier: BSD-2-Clause
#include "kept_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "hash.h"
#include "io.h"
#include "mem.h"

enum {
	MOST_KEPT = 128,    /* descriptors; of the others each is opened for one reading */
	STEP = 8 << 10,
	LONGEST_RECORD = 2048, /* while there is more, the kernel hands out as many records as a page holds */
};

#define UNREAD_NS (9500 * NS_PER_MS) /* files of processes that rest are read every eighth slice */
#define KEPT_NS (60 * NS_PER_S)

struct kept {
	uint64_t hash;
	char *path;
	int fd;
	uint64_t opened_ns, read_ns; /* of the slice in which it was opened, and last read */
};

struct kept_files {
	struct kept items[MOST_KEPT];
	size_t count;
	uint64_t now_ns; /* when the slice began */
};

struct kept_files *kept_files_new(void)
{
	struct kept_files *k = xcalloc(1, sizeof(*k));

	k->now_ns = clock_mono_ns();
	return k;
}

static void drop(struct kept_files *k, struct kept *item)
{
	close(item->fd);
	free(item->path);
	*item = k->items[--k->count];
}

void kept_files_free(struct kept_files *k)
{
	while (k && k->count)
		drop(k, k->items);
	free(k);
}

void kept_files_tick(struct kept_files *k, uint64_t mono_ns)
{
	k->now_ns = mono_ns;
	for (size_t i = k->count; i-- > 0;)
		if (mono_ns - k->items[i].read_ns > UNREAD_NS || mono_ns - k->items[i].opened_ns > KEPT_NS)
			drop(k, &k->items[i]);
}

static struct kept *find(struct kept_files *k, const char *path, uint64_t hash)
{
	for (size_t i = 0; i < k->count; i++)
		if (k->items[i].hash == hash && !strcmp(k->items[i].path, path))
			return &k->items[i];
	return NULL;
}

static int read_again(int fd, size_t max, struct buf *b)
{
	size_t start = b->len;

	for (;;) {
		buf_grow(b, STEP);
		ssize_t n = pread(fd, b->data + b->len, b->cap - b->len - 1, (off_t)(b->len - start));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		b->len += (size_t)n;
		b->data[b->len] = 0;
		if (b->len - start > max)
			return -EFBIG;
		if (n < LONGEST_RECORD)
			return 0;
	}
}

int kept_files_read(struct kept_files *k, const char *path, size_t max, struct buf *b)
{
	uint64_t hash = hash_bytes(path, strlen(path));
	struct kept *item = find(k, path, hash);
	size_t before = b->len;
	int r;

	if (item) {
		item->read_ns = k->now_ns;
		r = read_again(item->fd, max, b);
		if (r != -ENODEV && r != -ESRCH && r != -ENOENT) /* a device's file, a process's, a sysctl */
			return r;
		drop(k, item);
		b->len = before;
	}
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = read_again(fd, max, b);
	if (k->count < MOST_KEPT) {
		k->items[k->count++] = (struct kept){.hash = hash, .path = xstrdup(path), .fd = fd, .opened_ns = k->now_ns, .read_ns = k->now_ns};
		fd = -1;
	}
	return r;
}

int kept_files_read_u64(struct kept_files *k, const char *path, uint64_t *ret_value)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int r = kept_files_read(k, path, 256, &b);

	return r < 0 ? r : read_u64(b.data, ret_value);
}
