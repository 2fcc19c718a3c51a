/* SPDX-License-Identifier: BSD-2-Clause */
/* Symbols of one module, sorted by address: 20 bytes a symbol, and names that mostly stay where
 * they are (in a mapped file) until one is asked for. Fill it, finish it, then search. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct table;

struct table_symbol {
	uint64_t start;
	uint64_t size;   /* 0: to the next symbol or `limit`, unless it is inside of a sized one */
	uint64_t limit;  /* the symbol ends here at the latest: the end of its section */
	unsigned source; /* where its name is, from table_source() or table_add_name() */
	uint32_t name;
	uint8_t rank;    /* of several symbols at one address the highest rank stays */
};

struct table_hit {
	const char *name; /* not terminated */
	size_t name_len;
	uint64_t start, size;
};

enum { TABLE_OWN_NAMES = 0, TABLE_SYMBOLS_MAX = 8 << 20 };

struct table *table_new(void);
void table_free(struct table *t);
/* A string table that outlives the table; names end at NUL, '@' or its end. -ENOSPC: too many. */
int table_source(struct table *t, const char *strings, size_t size);
uint32_t table_add_name(struct table *t, const char *name, size_t len); /* source TABLE_OWN_NAMES */
/* -E2BIG past TABLE_SYMBOLS_MAX. */
int table_add(struct table *t, const struct table_symbol *symbol);
void table_finish(struct table *t);
bool table_find(const struct table *t, uint64_t address, struct table_hit *ret);
uint32_t table_count(const struct table *t);

/* How good a name is beside others of the same address. */
uint8_t table_rank(const char *name, size_t len, bool sized, bool function, bool exported,
		   bool weak);

DEFINE_CLEANUP(struct table *, table_free)
