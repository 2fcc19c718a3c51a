/* SPDX-License-Identifier: BSD-2-Clause */
/* BPF objects go into the kernel several at a time: it takes tens of milliseconds to verify some programs, one after the other as long
 * as all else of the start. */
#pragma once
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>

#include "cleanup.h"

struct load {
	struct bpf_object *object; /* opened, the caller's */
	int error;                 /* 0 or a negative errno, when it has been loaded */
};

void load_all(struct load *items, size_t count);

/* The same beside what the caller does. The items stay the caller's, and must until loading_free(). */
struct loading;
int loading_new(struct load *items, size_t count, struct loading **ret_loading);
int loading_fd(const struct loading *l);                /* readable when one has been loaded */
bool loading_take(struct loading *l, size_t *ret_index); /* the next of them; false: none at the moment */
void loading_free(struct loading *l);                   /* waits for those that are begun */

DEFINE_CLEANUP(struct loading *, loading_free)
