/* SPDX-License-Identifier: BSD-2-Clause */
/* The child that unwinds copied stacks. */
#pragma once
#include "child.h"

/* As child_run(). */
_Noreturn void unwind_child_run(int socket, int files, struct child_progress *progress);
