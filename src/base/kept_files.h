/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of /proc and /sys that are read every second: to find, open and close one takes longer than to read it, so they stay open.
 * What is gone, as a process's or a device's file, is looked for again under its name, and everything once a minute: another may have that name. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct kept_files;

struct kept_files *kept_files_new(void);
void kept_files_free(struct kept_files *k);

/* As read_file() and read_u64_file(); of files with lines of less than 2048 bytes. */
int kept_files_read(struct kept_files *k, const char *path, size_t max, struct buf *b);
int kept_files_read_u64(struct kept_files *k, const char *path, uint64_t *ret_value);

/* Once a second: who has not been read for some of them is closed. */
void kept_files_tick(struct kept_files *k);
