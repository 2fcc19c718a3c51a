/* SPDX-License-Identifier: BSD-2-Clause */
/* A probe's kernel side has variables that start as 0: mapped into memory, because before 1.5 libbpf does it for skeletons alone. */
#pragma once
#include <stddef.h>

struct bpf_object;

struct variables {
	void *memory; /* as the kernel side declares them; NULL: not mapped */
	size_t bytes;
};

int variables_map(const struct bpf_object *object, struct variables *ret_variables); /* of a loaded object; negative errno with fail() */
void variables_done(struct variables *v);
