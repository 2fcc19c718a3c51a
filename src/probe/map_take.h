/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums that the kernel side keeps in a hash map until user space takes them away. */
#pragma once

/* Reads the entry and removes it. Negative errno, without a message, when it is gone. */
int map_take(int map, const void *key, void *ret_value);
