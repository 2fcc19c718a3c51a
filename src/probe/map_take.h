/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums that the kernel side keeps in a hash map until user space takes them away. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAP_TAKE_KEY_BYTES = 128 }; /* of a key, at the most */

/* One pass over a map, {0} at its beginning. What the kernel side adds meanwhile may be left for the next pass: else a sum that
 * grows all the time would be taken again and again. */
struct map_pass {
	bool begun, more;
	uint64_t next[MAP_TAKE_KEY_BYTES / 8]; /* the key behind the one that was taken */
};

/* Reads an entry and removes it. Negative errno, without a message, when there is none or it is gone. */
int map_take(int map, struct map_pass *pass, void *ret_key, size_t key_size, void *ret_value);
