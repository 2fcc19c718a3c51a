// SPDX-License-Identifier: BSD-2-Clause
#include "iterator.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include "cleanup.h"
#include "fail.h"

enum { MOST_BYTES = 32 << 20 };

int iterator_read(int link, struct buf *b)
{
	_cleanup_close_ int fd = bpf_iter_create(link);

	if (fd < 0)
		return fail(-errno, "start the list of sockets");
	while (b->len < MOST_BYTES) {
		buf_grow(b, 64 << 10);
		ssize_t n = read(fd, b->data + b->len, 64 << 10);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n < 0 ? fail(-errno, "read the list of sockets") : 0;
		b->len += (size_t)n;
	}
	return 0;
}
