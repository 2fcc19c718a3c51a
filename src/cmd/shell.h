/* SPDX-License-Identifier: BSD-2-Clause */
/* A shell command and what it says. */
#pragma once
#include <stdint.h>

#include "buf.h"

/* Runs it with sh -c and no input; appends what it writes to stdout and stderr, cut at `most` bytes. -EIO with a message for a
 * status other than 0; -ETIME when it had to be killed after `most_ns`. */
int shell_run(const char *command, uint64_t most_ns, size_t most, struct buf *output);
