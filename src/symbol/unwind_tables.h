/* SPDX-License-Identifier: BSD-2-Clause */
/* In the child that unwinds: the modules' tables, made when they are first needed, within a budget
 * of memory, or mapped from the cache. */
#pragma once
#include <stdint.h>

#include "child.h"
#include "protocol.h"
#include "unwind_table.h"

enum table_state {
	TABLE_WANTED, /* not asked for yet, or evicted */
	TABLE_READY,
	TABLE_NO_FILE, /* perhaps later, through another process */
	TABLE_BROKEN, /* the file cannot be read as an ELF file */
};

struct unwind_tables;

struct unwind_tables *unwind_tables_new(int files_socket, struct child_progress *progress);
void unwind_tables_budget(struct unwind_tables *t, uint64_t bytes, uint64_t unused_ns);
/* *ret_table is set when it is ready, and stays until the generation changes. */
enum table_state unwind_tables_get(struct unwind_tables *t, uint32_t module,
				   const struct unwind_table **ret_table);
/* Make a wanted table. False: not now, nothing has changed. */
bool unwind_tables_load(struct unwind_tables *t, uint32_t module);
void unwind_tables_used(struct unwind_tables *t, uint32_t module);
void unwind_tables_retry(struct unwind_tables *t); /* files that could not be had */
uint64_t unwind_tables_generation(const struct unwind_tables *t); /* of what get() says */
/* From time to time: gives back pages of tables that are mapped, and tables that nobody has used for a while. */
void unwind_tables_rest(struct unwind_tables *t);
void unwind_tables_report(const struct unwind_tables *t, struct record_tables *record);
