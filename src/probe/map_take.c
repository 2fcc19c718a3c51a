// SPDX-License-Identifier: BSD-2-Clause
#include "map_take.h"

#include <bpf/bpf.h>
#include <errno.h>

int map_take(int map, void *ret_key, void *ret_value)
{
	if (bpf_map_get_next_key(map, NULL, ret_key))
		return -errno;
	/* In one step since 5.14 (3e87f192b405); before it a count may fall between the two. */
	if (bpf_map_lookup_and_delete_elem(map, ret_key, ret_value) == 0)
		return 0;
	if (bpf_map_lookup_elem(map, ret_key, ret_value))
		return -errno;
	return bpf_map_delete_elem(map, ret_key) ? -errno : 0;
}
