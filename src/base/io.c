// SPDX-License-Identifier: BSD-2-Clause
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"

static int read_all(int fd, size_t step, size_t max, bool again, struct buf *b)
{
	size_t start = b->len;

	for (;;) {
		buf_grow(b, step);
		ssize_t n = read(fd, b->data + b->len, again ? step : b->cap - b->len - 1);
		if (n < 0 && (errno == EINTR || (again && errno == EAGAIN)))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		b->len += (size_t)n;
		b->data[b->len] = 0;
		if (b->len - start > max)
			return -EFBIG;
	}
}

int read_fd(int fd, size_t max, struct buf *b)
{
	return read_all(fd, 4 << 10, max, false, b);
}

/* Half of the kernel's buffer at a time: when that is full, what did not fit is thrown away, and the program runs a second time for its
 * object, of which it may think that it has told already. */
int read_iterator(int fd, size_t max, struct buf *b)
{
	return read_all(fd, 16 << 10, max, true, b);
}

int read_file_at(int dirfd, const char *path, size_t max, struct buf *b)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : read_fd(fd, max, b);
}

int read_file(const char *path, size_t max, struct buf *b)
{
	return read_file_at(AT_FDCWD, path, max, b);
}

int read_u64(const char *text, uint64_t *ret_value)
{
	char *end;

	errno = 0;
	*ret_value = strtoull(text, &end, 10);
	return errno || end == text ? -EINVAL : 0;
}

int read_u64_file(const char *path, uint64_t *ret_value)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int r = read_file(path, 256, &b);

	return r < 0 ? r : read_u64(b.data, ret_value);
}

int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}
