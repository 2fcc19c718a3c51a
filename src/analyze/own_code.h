/* SPDX-License-Identifier: BSD-2-Clause */
/* The function of a stack that a reader knows: a program's own code, nearest to the leaf. */
#pragma once
#include <string.h>

#include "stack_view.h"

static inline bool is_c_library(const char *module)
{
	const char *slash = strrchr(module, '/'), *base = slash ? slash + 1 : module;

	return !strncmp(base, "libc.so", 7) || !strncmp(base, "libc-", 5) || !strncmp(base, "libpthread", 10) ||
	       !strncmp(base, "ld-", 3);
}

/* Else the leaf's; "" of a stack that is not known. Valid as long as the view. */
static inline const char *own_code_of(struct stack_view *view, uint32_t stack)
{
	size_t depth;
	const struct stack_frame *const *frames = stack_view_walk(view, stack, &depth);

	for (size_t i = depth; i-- > 0;) {
		enum code_kind kind = frames[i]->kind;

		if (kind == CODE_JIT || kind == CODE_PYTHON || (kind == CODE_ELF && !is_c_library(frames[i]->module)))
			return frames[i]->name;
	}
	return depth ? frames[depth - 1]->name : "";
}
