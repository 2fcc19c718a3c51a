/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums that the kernel side keeps in a hash map until user space takes them away. */
#pragma once

/* Reads an entry and removes it. Negative errno, without a message, when there is none or it is gone. */
int map_take(int map, void *ret_key, void *ret_value);
