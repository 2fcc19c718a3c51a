/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole-file reads and complete writes. Errors are negative errno without a message: callers
 * know whether a missing file matters. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"

int read_file(const char *path, size_t max, struct buf *b);     /* appends; -EFBIG past max */
int read_file_at(int dirfd, const char *path, size_t max, struct buf *b);
int read_fd(int fd, size_t max, struct buf *b);
/* The same of a BPF iterator, which may want to be asked again. */
int read_iterator(int fd, size_t max, struct buf *b);
int read_u64_file(const char *path, uint64_t *ret_value);       /* one decimal number */
int read_u64(const char *text, uint64_t *ret_value);            /* likewise, of what has been read */
int write_all(int fd, const void *data, size_t len);
