// SPDX-License-Identifier: BSD-2-Clause
#include "iterator.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "cleanup.h"
#include "fail.h"
#include "io.h"

enum { MOST_BYTES = 32 << 20 };

int iterator_read(int link, const char *what, struct buf *b)
{
	_cleanup_close_ int fd = bpf_iter_create(link);
	int r = fd < 0 ? -errno : read_iterator(fd, MOST_BYTES, b);

	return r < 0 && r != -EFBIG ? fail(r, "list %s", what) : 0;
}
