// SPDX-License-Identifier: BSD-2-Clause
#include "variables.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fail.h"

int variables_map(const struct bpf_object *object, struct variables *ret_variables)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object, ".bss");
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes;
	void *memory;

	if (!map)
		return fail(-ENOENT, "find its variables");
	bytes = (bpf_map__value_size(map) + page - 1) / page * page;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (memory == MAP_FAILED)
		return fail(-errno, "map its variables into memory");
	*ret_variables = (struct variables){.memory = memory, .bytes = bytes};
	return 0;
}

void variables_done(struct variables *v)
{
	if (v->memory)
		munmap(v->memory, v->bytes);
	*v = (struct variables){0};
}
