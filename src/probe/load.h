/* SPDX-License-Identifier: BSD-2-Clause */
/* BPF objects go into the kernel several at a time: it takes tens of milliseconds to verify some programs, one after the other as long
 * as all else of the start. */
#pragma once
#include <bpf/libbpf.h>
#include <stddef.h>

struct load {
	struct bpf_object *object; /* opened, the caller's */
	int error;                 /* 0 or a negative errno, when load_all() returns */
};

void load_all(struct load *items, size_t count);
