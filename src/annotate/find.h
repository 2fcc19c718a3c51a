/* SPDX-License-Identifier: BSD-2-Clause */
/* The one function that the user means. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "annotate.h"
#include "arena.h"

struct function {
	uint32_t symbol;
	const char *name, *path, *kind, *file; /* in the arena; file NULL: unknown */
	uint64_t size;
	uint64_t samples, ns;
	bool has_code;
};

/* A long recording may have one function under several ids: those of :symbol, its own among them. */
#define SAME_FUNCTION                                                                              \
	"(SELECT b.id FROM symbol a JOIN module m ON m.id = a.module JOIN symbol b ON b.start = a.start AND b.name = a.name " \
	"JOIN module n ON n.id = b.module WHERE a.id = :symbol " \
	"AND (n.id = m.id OR n.kind = 'elf' AND n.path = m.path AND n.build_id = m.build_id))"

int function_find(struct store *s, const struct annotate_options *o, struct arena *memory,
		  struct function *ret_function);
