/* SPDX-License-Identifier: BSD-2-Clause */
/* From 3.13 on, CPython tells debuggers where its fields are, at the beginning of _PyRuntime. */
#pragma once
#include <sys/types.h>

#include "wire.h"

/* Corrects the layout by what the process says at `runtime`. -ENOENT: it says nothing (yet);
 * -ENOTSUP: it is built in a way that is not understood; the layout is unchanged then. */
int python_debug_layout(pid_t pid, uint64_t runtime, struct python_layout *layout);
