/* SPDX-License-Identifier: BSD-2-Clause */
/* The child's side of an answer: symbols are added one by one, innermost first, and encoded at
 * once. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

struct answer {
	struct packet *packet;
	size_t begin;
	uint32_t count;
};

struct found {
	const char *name; /* mangled; not terminated */
	size_t name_len;
	const char *file; /* NULL: unknown */
	uint32_t line;
	uint64_t start, size;
	bool inlined;
};

void answer_begin(struct answer *a, struct packet *packet, enum record_type type, uint32_t sequence);
void answer_add(struct answer *a, const struct found *f);
void answer_end(struct answer *a);
