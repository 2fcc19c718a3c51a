// SPDX-License-Identifier: BSD-2-Clause
#include "hash.h"

#include <string.h>

#include "mem.h"

#define MULTIPLIER 0x9e3779b97f4a7c15ull /* 2^64 / golden ratio */

uint64_t hash_u64(uint64_t key)
{
	key ^= key >> 32;
	key *= MULTIPLIER;
	key ^= key >> 29;
	key *= MULTIPLIER;
	return key ^ (key >> 32);
}

uint64_t hash_bytes(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t h = len * MULTIPLIER, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * MULTIPLIER;
		h ^= h >> 32;
	}
	if (len) {
		word = 0;
		memcpy(&word, p, len);
		h = (h ^ word) * MULTIPLIER;
	}
	return hash_u64(h);
}

enum { FREE, USED, REMOVED };

struct slot {
	uint64_t key, value;
};

struct map {
	struct slot *slots;
	unsigned char *state;
	size_t capacity; /* a power of two */
	size_t used;     /* live */
	size_t touched;  /* live and removed */
};

struct map *map_new(void)
{
	return xcalloc(1, sizeof(struct map));
}

void map_free(struct map *m)
{
	if (!m)
		return;
	free(m->slots);
	free(m->state);
	free(m);
}

/* The key's slot, or the slot where it would go; the table is never full. */
static size_t find(const struct map *m, uint64_t key)
{
	size_t mask = m->capacity - 1, i = hash_u64(key) & mask, reusable = SIZE_MAX;

	for (;; i = (i + 1) & mask) {
		if (m->state[i] == FREE)
			return reusable != SIZE_MAX ? reusable : i;
		if (m->state[i] == REMOVED) {
			if (reusable == SIZE_MAX)
				reusable = i;
		} else if (m->slots[i].key == key) {
			return i;
		}
	}
}

static void resize(struct map *m)
{
	struct map old = *m;

	m->capacity = old.used * 4 < 64 ? 64 : old.capacity;
	while (m->capacity < old.used * 4)
		m->capacity *= 2;
	m->slots = xmalloc(m->capacity * sizeof(*m->slots));
	m->state = xcalloc(m->capacity, 1);
	m->touched = m->used;
	for (size_t i = 0; i < old.capacity; i++) {
		if (old.state[i] != USED)
			continue;
		size_t to = find(m, old.slots[i].key);
		m->slots[to] = old.slots[i];
		m->state[to] = USED;
	}
	free(old.slots);
	free(old.state);
}

bool map_get(const struct map *m, uint64_t key, uint64_t *ret_value)
{
	if (!m->capacity)
		return false;
	size_t i = find(m, key);
	if (m->state[i] != USED)
		return false;
	if (ret_value)
		*ret_value = m->slots[i].value;
	return true;
}

void map_put(struct map *m, uint64_t key, uint64_t value)
{
	if ((m->touched + 1) * 4 > m->capacity * 3)
		resize(m);
	size_t i = find(m, key);
	if (m->state[i] != USED) {
		m->used++;
		m->touched += m->state[i] == FREE;
		m->state[i] = USED;
		m->slots[i].key = key;
	}
	m->slots[i].value = value;
}

bool map_remove(struct map *m, uint64_t key)
{
	if (!m->capacity)
		return false;
	size_t i = find(m, key);
	if (m->state[i] != USED)
		return false;
	m->state[i] = REMOVED;
	m->used--;
	return true;
}

size_t map_count(const struct map *m)
{
	return m->used;
}

bool map_next(const struct map *m, size_t *cursor, uint64_t *ret_key, uint64_t *ret_value)
{
	for (; *cursor < m->capacity; (*cursor)++) {
		if (m->state[*cursor] != USED)
			continue;
		*ret_key = m->slots[*cursor].key;
		*ret_value = m->slots[*cursor].value;
		(*cursor)++;
		return true;
	}
	return false;
}
