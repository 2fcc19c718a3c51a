/* SPDX-License-Identifier: BSD-2-Clause */
/* Who holds a lock of Python. The lock itself names nobody; but whoever took it in a `with` statement has the bound method
 * that gives it back, the lock's __exit__, among the values of that frame until then. */
#pragma once
#include "space.h"

enum { PYTHON_LOCKS = 64 };

bool python_runs_in(const struct space *s);
/* The futexes of locks that the thread with that stack pointer took so; their number. It must not run meanwhile. `wanted`: the
 * one that it sleeps on; it has that one's method, too. */
size_t python_locks_held(const struct space *s, uint64_t sp, uint64_t wanted, uint64_t ret_futexes[PYTHON_LOCKS]);
