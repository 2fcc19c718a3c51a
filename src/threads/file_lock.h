/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks of files (flock, fcntl), as the kernel lists them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* The process that holds the lock which process `pid` waits for; on the file of that inode, or any when that is 0.
 * 0: it waits for none, or the holder is not known. */
uint32_t file_lock_holder(uint32_t pid, uint64_t inode);
/* Does the process wait for a process that waits..., and so on, for itself? */
bool file_lock_cycle(uint32_t pid);
