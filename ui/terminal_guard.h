/* SPDX-License-Identifier: BSD-2-Clause */
/* Gives the terminal back when the process ends without having done so: by a handler after a crash, and by a small process beside it
 * when it is killed, for want of memory, say. */
#pragma once
#include <stdbool.h>

/* Notes how the terminal is. Call it before all else that takes memory or descriptors: the process beside it has a copy of them.
 * -ENOTTY with a message: there is no terminal, or nobody knows its kind. */
int terminal_guard_start(void);
void terminal_guard_set(bool on); /* true: curses has the terminal from now on; false: it is as it was */
