/* SPDX-License-Identifier: BSD-2-Clause */
/* In the child that unwinds: address spaces, with the tables of what is mapped. */
#pragma once
#include "protocol.h"
#include "unwind.h"
#include "unwind_tables.h"

struct unwind_spaces;

struct unwind_spaces *unwind_spaces_new(struct unwind_tables *tables);
void unwind_spaces_define(struct unwind_spaces *s, const struct record_space *record);
void unwind_spaces_forget(struct unwind_spaces *s, uint32_t space);
/* Unwinds `in`, mappings apart; before a table is made, which takes its time, `pause` is called. */
void unwind_spaces_unwind(struct unwind_spaces *s, uint32_t space, struct unwind_input *in,
			  struct unwind_output *out, void (*pause)(void *arg), void *arg);
