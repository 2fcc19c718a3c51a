/* SPDX-License-Identifier: BSD-2-Clause */
/* The table's one block of memory, which is also its image on disk: the header, then the arrays in
 * the order of the header's counts, each aligned to 8 bytes. */
#pragma once
#include "unwind_builder.h"

#define UNWIND_IMAGE_MAGIC "PSUNWIND"
#define UNWIND_IMAGE_VERSION 2

struct unwind_image {
	char magic[8];
	uint32_t version;
	uint32_t machine;  /* ELF e_machine */
	uint64_t checksum; /* of all that follows this field */
	uint64_t base;     /* vaddr that row addresses count from */
	uint32_t segments, rows, rules, pool_words, exprs, expr_bytes;
	uint8_t build_id[32];
	uint32_t build_id_len;
	uint32_t unused;
};

/* Where the arrays are, in bytes from the image's start. */
struct unwind_layout {
	size_t segment;  /* struct unwind_segment[segments] */
	size_t address;  /* uint32_t[rows]: ascending */
	size_t rule;     /* uint16_t[rows]: rule numbers */
	size_t rule_at;  /* uint32_t[rules]: where each rule begins in the pool */
	size_t pool;     /* uint32_t[pool_words]: struct unwind_rule, back to back */
	size_t expr_at;  /* uint32_t[exprs + 1]: where each expression begins */
	size_t expr;     /* uint8_t[expr_bytes] */
	size_t size;
};

struct unwind_layout unwind_layout(const struct unwind_image *im);
uint64_t unwind_image_checksum(const struct unwind_image *im, size_t size);

/* Takes over the image (malloc'ed), and its checked contents; never fails. */
struct unwind_table *unwind_table_adopt(struct unwind_image *im);
