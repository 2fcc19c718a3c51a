// SPDX-License-Identifier: BSD-2-Clause
#include "table.h"

#include <errno.h>
#include <string.h>

#include "buf.h"
#include "mem.h"
#include "protocol.h"
#include "search.h"

#define NO_PARENT 0xfffffffu
#define SOURCES 16

struct source {
	const char *strings;
	size_t size;
};

struct entry {
	uint32_t size;
	uint32_t name;
	uint32_t parent : 28; /* the symbol around this one, for what lies behind this one */
	uint32_t source : 4;
};

struct table {
	struct source sources[SOURCES];
	unsigned source_count;
	struct buf own; /* names that exist nowhere else, each with its NUL */
	struct table_symbol *building;
	size_t building_count, building_capacity;
	uint64_t *starts;
	struct entry *entries;
	uint32_t count;
};

struct table *table_new(void)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->own = (struct buf)BUF_INIT;
	t->source_count = 1; /* the own names */
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	buf_done(&t->own);
	free(t->building);
	free(t->starts);
	free(t->entries);
	free(t);
}

int table_source(struct table *t, const char *strings, size_t size)
{
	if (t->source_count == SOURCES)
		return -ENOSPC;
	t->sources[t->source_count] = (struct source){strings, size};
	return (int)t->source_count++;
}

uint32_t table_add_name(struct table *t, const char *name, size_t len)
{
	uint32_t at = (uint32_t)t->own.len;

	buf_add(&t->own, name, len);
	buf_addch(&t->own, 0);
	return at;
}

int table_add(struct table *t, const struct table_symbol *symbol)
{
	if (t->building_count >= TABLE_SYMBOLS_MAX)
		return -E2BIG;
	GROW(t->building, t->building_count, t->building_capacity);
	t->building[t->building_count++] = *symbol;
	return 0;
}

uint8_t table_rank(const char *name, size_t len, bool sized, bool function, bool exported,
		   bool weak)
{
	unsigned underscores = 0;

	while (underscores < len && underscores < 7 && name[underscores] == '_')
		underscores++;
	return (uint8_t)(sized << 7 | function << 6 | exported << 5 | (7 - underscores) << 2 |
			 !weak << 1);
}

static const char *name_at(const struct table *t, unsigned source, uint32_t name, size_t *ret_len)
{
	struct source s = t->sources[source];

	if (source == TABLE_OWN_NAMES)
		s = (struct source){t->own.data, t->own.len};
	*ret_len = 0;
	if (name >= s.size)
		return "";
	size_t most = s.size - name < NAME_MAX_BYTES ? s.size - name : NAME_MAX_BYTES;
	*ret_len = strnlen(s.strings + name, most);
	return s.strings + name;
}

/* By address, the name to keep first. */
static int compare(const void *left, const void *right, void *table)
{
	const struct table_symbol *a = left, *b = right;
	size_t a_len, b_len;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->rank != b->rank)
		return b->rank - a->rank;
	const char *a_name = name_at(table, a->source, a->name, &a_len);
	const char *b_name = name_at(table, b->source, b->name, &b_len);
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return memcmp(a_name, b_name, a_len);
}

/* Of the symbols at one address the first stays; returns how many are left. */
static size_t drop_aliases(struct table_symbol *s, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (!kept || s[kept - 1].start != s[i].start)
			s[kept++] = s[i];
	return kept;
}

/* Labels inside of functions are no functions; others without a size reach to the next one. */
static size_t settle_sizes(struct table_symbol *s, size_t count)
{
	size_t kept = 0;
	uint64_t covered = 0;

	for (size_t i = 0; i < count; i++) {
		if (!s[i].size && s[i].start < covered)
			continue;
		if (s[i].size > s[i].limit - s[i].start)
			s[i].size = s[i].limit - s[i].start;
		if (s[i].size && s[i].start + s[i].size > covered)
			covered = s[i].start + s[i].size;
		s[kept++] = s[i];
	}
	for (size_t i = 0; i < kept; i++) {
		if (s[i].size)
			continue;
		uint64_t end = i + 1 < kept && s[i + 1].start < s[i].limit ? s[i + 1].start
									   : s[i].limit;
		s[i].size = end - s[i].start;
	}
	return kept;
}

void table_finish(struct table *t)
{
	struct table_symbol *s = t->building;
	size_t count = t->building_count;

	if (count)
		qsort_r(s, count, sizeof(*s), compare, t);
	count = drop_aliases(s, count);
	count = settle_sizes(s, count);
	t->count = (uint32_t)count;
	t->starts = xmalloc(count * sizeof(*t->starts));
	t->entries = xmalloc(count * sizeof(*t->entries));
	for (uint32_t i = 0, parent = NO_PARENT; i < count; i++) {
		while (parent != NO_PARENT &&
		       t->starts[parent] + t->entries[parent].size <= s[i].start)
			parent = t->entries[parent].parent;
		t->starts[i] = s[i].start;
		t->entries[i] = (struct entry){
			.size = s[i].size > UINT32_MAX ? UINT32_MAX : (uint32_t)s[i].size,
			.name = s[i].name, .parent = parent, .source = s[i].source & 15};
		parent = i;
	}
	free(t->building);
	t->building = NULL;
	t->building_count = t->building_capacity = 0;
}

/* The linker writes memcpy@@GLIBC_2.14 for a versioned symbol. */
static size_t unversioned(const char *name, size_t len)
{
	const char *at = memchr(name + 1, '@', len - 1);

	return at ? (size_t)(at - name) : len;
}

bool table_find(const struct table *t, uint64_t address, struct table_hit *ret)
{
	uint32_t count = COUNT_UP_TO(t->starts, t->count, , address);

	for (uint32_t i = count ? count - 1 : NO_PARENT; i != NO_PARENT; i = t->entries[i].parent) {
		const struct entry *e = &t->entries[i];

		if (address - t->starts[i] >= e->size)
			continue;
		ret->name = name_at(t, e->source, e->name, &ret->name_len);
		if (e->source != TABLE_OWN_NAMES && ret->name_len)
			ret->name_len = unversioned(ret->name, ret->name_len);
		ret->start = t->starts[i];
		ret->size = e->size;
		return ret->name_len > 0;
	}
	return false;
}

uint32_t table_count(const struct table *t)
{
	return t->count;
}
