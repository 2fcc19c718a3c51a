/* SPDX-License-Identifier: BSD-2-Clause */
/* Who holds a lock of Python. The lock itself names nobody; but whoever took it in a `with` statement has the bound method
 * that gives it back, the lock's __exit__, among the values of that frame until then. */
#pragma once
#include "space.h"

/* A thread that sleeps on a futex, and must not run meanwhile. All zero: one that does not. */
struct python_sleeper {
	uint64_t futex, sp;
	size_t holder; /* 1 + who holds that lock, in the array; 0 not known */
};

/* Finds holders that are not known yet; nothing where no Python runs. It is dear: only the first `most` are looked into. */
void python_lock_holders(const struct space *s, struct python_sleeper *sleepers, size_t count, size_t most);
