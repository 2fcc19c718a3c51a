/* SPDX-License-Identifier: BSD-2-Clause */
/* A process or thread as /proc/PID/status tells of it (proc_pid_status(5)). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* The number behind `field`, which the kernel writes in this base: 16 for sets. pid 0: the caller's own. False: it has ended, or has no
 * such field. */
bool proc_status(uint32_t pid, const char *field, int base, uint64_t *ret_value);

/* The number that it has for itself, in its innermost PID namespace, as the text of that file tells; `pid` where it does not. */
uint32_t proc_status_own_number(const char *status, uint32_t pid);
