/* SPDX-License-Identifier: BSD-2-Clause */
/* A module's unwind table: call frame information boiled down to sorted 6-byte rows (address, rule
 * number), a pool of the few rules that are distinct, and a small index over the addresses.
 *
 * Addresses are the module's own, as its ELF file counts them ("vaddr"). A table is never changed
 * after it was made, and one table serves all processes that map the module. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "unwind_regs.h"
#include "unwind_rule.h"

struct unwind_table;

/* From an ELF file or a memory image of one (vDSO): .eh_frame, and .debug_frame for what that does
 * not cover, in the file itself or in `debug`, its separate debug file (NULL: none). A module without either gives a table without rows. The descriptor stays the caller's;
 * it must be seekable. Hostile files cost bounded time and memory. Negative errno with a message
 * when the ELF cannot be read (-ENOEXEC), is for another machine (-ENOTSUP) or too large (-EFBIG).
 * Single functions with malformed or unknown frame information are counted, not fatal. */
struct Elf;
int unwind_table_build(int fd, struct Elf *debug, struct unwind_table **ret_table);
int unwind_table_build_memory(const void *image, size_t len, struct unwind_table **ret_table);
void unwind_table_free(struct unwind_table *t); /* NULL is fine */

struct unwind_table_info {
	uint32_t rows;
	uint32_t rules;       /* distinct */
	uint32_t unsupported; /* rows that no frame can be unwound with */
	bool partial;         /* a large part of the code is described by no row */
	size_t bytes;         /* all included, */
	size_t own_bytes;     /* and without those that lie in a file which is mapped */
	uint8_t build_id[32];
	uint32_t build_id_len; /* 0: the module has none */
};
const struct unwind_table_info *unwind_table_info(const struct unwind_table *t);

/* What to subtract from a run-time address to get the module's own, for a mapping of the module's
 * file that begins at `start` in memory and at `file_offset` in the file. False when no loadable
 * executable part of the module lies there. */
bool unwind_table_bias(const struct unwind_table *t, uint64_t start, uint64_t file_offset,
		       uint64_t *ret_bias);

/* The rule at an address; NULL where there is no row. */
const struct unwind_rule *unwind_table_find(const struct unwind_table *t, uint64_t address);
/* The expression of a rule; *ret_len 0 when there is none with that number. */
const uint8_t *unwind_table_expr(const struct unwind_table *t, int32_t number, size_t *ret_len);

/* For the cache on disk: the bytes to write, owned by the table, and a table from bytes that were
 * read back (copied). Any damage, other version or other machine is -EBADMSG with a message. */
const void *unwind_table_image(const struct unwind_table *t, size_t *ret_len);
int unwind_table_load(const void *image, size_t len, struct unwind_table **ret_table);

/* The same from the whole of a file, which is mapped, and must not change or shrink from then on. */
int unwind_table_map(int fd, size_t len, struct unwind_table **ret_table);
/* The image has been written to a file, which is mapped here: that is the image from now on, and the table's to unmap. */
void unwind_table_move(struct unwind_table *t, void *mapped);
/* Pages that are mapped come back when they are read. */
void unwind_table_release_pages(const struct unwind_table *t);

DEFINE_CLEANUP(struct unwind_table *, unwind_table_free)
