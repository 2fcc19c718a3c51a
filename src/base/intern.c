// SPDX-License-Identifier: BSD-2-Clause
#include "intern.h"

#include <string.h>

#include "arena.h"
#include "hash.h"
#include "mem.h"

struct entry {
	const char *key;
	uint32_t len;
	uint32_t hash;
};

struct intern {
	struct arena *arena;
	struct entry *entries;
	uint32_t count, capacity;
	uint32_t *table; /* id + 1; 0 is free */
	uint32_t table_size; /* a power of two */
};

struct intern *intern_new(void)
{
	struct intern *in = xcalloc(1, sizeof(*in));

	in->arena = arena_new();
	in->table_size = 256;
	in->table = xcalloc(in->table_size, sizeof(*in->table));
	return in;
}

void intern_free(struct intern *in)
{
	if (!in)
		return;
	arena_free(in->arena);
	free(in->entries);
	free(in->table);
	free(in);
}

static void enlarge(struct intern *in)
{
	free(in->table);
	in->table_size *= 2;
	in->table = xcalloc(in->table_size, sizeof(*in->table));
	for (uint32_t id = 0; id < in->count; id++) {
		uint32_t i = in->entries[id].hash & (in->table_size - 1);

		while (in->table[i])
			i = (i + 1) & (in->table_size - 1);
		in->table[i] = id + 1;
	}
}

/* The table's place of the key, or the free place where it belongs. */
static uint32_t place(const struct intern *in, const void *key, size_t len, uint32_t hash)
{
	uint32_t i = hash & (in->table_size - 1);

	for (; in->table[i]; i = (i + 1) & (in->table_size - 1)) {
		const struct entry *e = &in->entries[in->table[i] - 1];

		if (e->hash == hash && e->len == len && !memcmp(e->key, key, len))
			break;
	}
	return i;
}

bool intern_find(const struct intern *in, const void *key, size_t len, uint32_t *ret_id)
{
	uint32_t i = place(in, key, len, (uint32_t)hash_bytes(key, len));

	if (!in->table[i])
		return false;
	*ret_id = in->table[i] - 1;
	return true;
}

uint32_t intern_id(struct intern *in, const void *key, size_t len, bool *ret_new)
{
	uint32_t hash = (uint32_t)hash_bytes(key, len);
	uint32_t i = place(in, key, len, hash);

	if (ret_new)
		*ret_new = !in->table[i];
	if (in->table[i])
		return in->table[i] - 1;
	GROW(in->entries, in->count, in->capacity);
	in->entries[in->count] = (struct entry){
		.key = arena_strndup(in->arena, key, len), .len = (uint32_t)len, .hash = hash};
	in->table[i] = ++in->count;
	if ((uint64_t)in->count * 3 > (uint64_t)in->table_size * 2)
		enlarge(in);
	return in->count - 1;
}

const void *intern_key(const struct intern *in, uint32_t id, size_t *ret_len)
{
	if (ret_len)
		*ret_len = in->entries[id].len;
	return in->entries[id].key;
}

uint32_t intern_count(const struct intern *in)
{
	return in->count;
}

size_t intern_bytes(const struct intern *in)
{
	return arena_bytes(in->arena) + in->capacity * sizeof(*in->entries) +
	       in->table_size * sizeof(*in->table);
}
