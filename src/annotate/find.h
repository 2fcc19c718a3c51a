/* SPDX-License-Identifier: BSD-2-Clause */
/* The one function that the user means. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "annotate.h"
#include "arena.h"

struct function {
	uint32_t symbol, module;
	const char *name, *path, *kind, *file; /* in the arena; file NULL: unknown */
	uint64_t size;
	uint64_t samples, ns;
	bool has_code;
};

int function_find(struct store *s, const struct annotate_options *o, struct arena *memory,
		  struct function *ret_function);
