/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of /proc and /sys that are read every second: to find, open and close one takes longer than to read it, so they stay open.
 * What is gone, as a process's or a device's file, is looked for again under its name, and everything after a minute: another may have that name. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct kept_files;

struct kept_files *kept_files_new(void);
void kept_files_free(struct kept_files *k);

/* As read_file() and read_u64_file(); of files whose records have less than 2048 bytes: what the kernel prints at once, most often
 * a line, but a disk with all its partitions. */
int kept_files_read(struct kept_files *k, const char *path, size_t max, struct buf *b);
int kept_files_read_u64(struct kept_files *k, const char *path, uint64_t *ret_value);

/* After each slice: what has not been read for ten seconds is closed. */
void kept_files_tick(struct kept_files *k, uint64_t mono_ns);
