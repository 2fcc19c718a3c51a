// SPDX-License-Identifier: BSD-2-Clause
#include "keys.h"

#include <string.h>

#include "hash.h"
#include "mem.h"

struct keys {
	size_t size;
	unsigned char *items;
	uint32_t count, capacity;
	uint32_t *table; /* id + 1; 0 is free */
	uint32_t table_size; /* a power of two */
};

struct keys *keys_new(size_t size)
{
	struct keys *k = xcalloc(1, sizeof(*k));

	k->size = size;
	k->table_size = 256;
	k->table = xcalloc(k->table_size, sizeof(*k->table));
	return k;
}

void keys_free(struct keys *k)
{
	if (!k)
		return;
	free(k->items);
	free(k->table);
	free(k);
}

const void *keys_get(const struct keys *k, uint32_t id)
{
	return k->items + id * k->size;
}

/* The table's place of the key, or the free place where it belongs. */
static uint32_t place(const struct keys *k, const void *key)
{
	uint32_t mask = k->table_size - 1, i = (uint32_t)hash_bytes(key, k->size) & mask;

	while (k->table[i] && memcmp(keys_get(k, k->table[i] - 1), key, k->size))
		i = (i + 1) & mask;
	return i;
}

static void enlarge(struct keys *k)
{
	free(k->table);
	k->table_size *= 2;
	k->table = xcalloc(k->table_size, sizeof(*k->table));
	for (uint32_t id = 0; id < k->count; id++)
		k->table[place(k, keys_get(k, id))] = id + 1;
}

bool keys_find(const struct keys *k, const void *key, uint32_t *ret_id)
{
	uint32_t id = k->table[place(k, key)];

	if (id)
		*ret_id = id - 1;
	return id;
}

uint32_t keys_id(struct keys *k, const void *key, bool *ret_new)
{
	uint32_t i = place(k, key);

	*ret_new = !k->table[i];
	if (k->table[i])
		return k->table[i] - 1;
	if (k->count == k->capacity) {
		k->capacity = k->capacity ? k->capacity * 2 : 64;
		k->items = xrealloc(k->items, k->capacity * k->size);
	}
	memcpy(k->items + k->count * k->size, key, k->size);
	k->table[i] = ++k->count;
	if ((uint64_t)k->count * 3 > (uint64_t)k->table_size * 2)
		enlarge(k);
	return k->count - 1;
}

uint32_t keys_count(const struct keys *k)
{
	return k->count;
}

void keys_clear(struct keys *k)
{
	k->count = 0;
	memset(k->table, 0, k->table_size * sizeof(*k->table));
}
