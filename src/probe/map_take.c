// SPDX-License-Identifier: BSD-2-Clause
#include "map_take.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

int map_take(int map, struct map_pass *pass, void *ret_key, size_t key_size, void *ret_value)
{
	if (key_size > sizeof(pass->next))
		return -EINVAL;
	if (!pass->begun)
		pass->more = bpf_map_get_next_key(map, NULL, pass->next) == 0;
	pass->begun = true;
	if (!pass->more)
		return -ENOENT;
	memcpy(ret_key, pass->next, key_size);
	/* Behind a key that is gone, the kernel begins anew. */
	pass->more = bpf_map_get_next_key(map, ret_key, pass->next) == 0;
	/* In one step since 5.14 (3e87f192b405); before it a count may fall between the two. */
	if (bpf_map_lookup_and_delete_elem(map, ret_key, ret_value) == 0)
		return 0;
	if (bpf_map_lookup_elem(map, ret_key, ret_value))
		return -errno;
	return bpf_map_delete_elem(map, ret_key) ? -errno : 0;
}
