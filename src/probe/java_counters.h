/* SPDX-License-Identifier: BSD-2-Clause */
/* The counters that a Java virtual machine shows to tools of its user, in /tmp/hsperfdata_USER/PID: what its heap held when
 * it was last collected. Anyone who runs Java writes such files: every offset in them is checked. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct java_counters {
	uint64_t collections;  /* so far, of the young generation and of all */
	uint64_t kept_bytes;   /* after the last one: the old generation, and what survived of the young one */
	uint64_t limit_bytes;  /* that the old generation may have */
	uint64_t capacity_bytes; /* that the heap has so far, used or not */
	uint64_t old_collections; /* so far, that looked at the old generation, too, at once or by and by */
	uint64_t eden_bytes;   /* room for what is new: so much is made between two collections of the young generation */
};

/* -EINVAL if that is no such file, -ENODATA if it has no generations to tell of (yet). */
int java_counters_parse(const void *data, size_t len, struct java_counters *ret_counters);
