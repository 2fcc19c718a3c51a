// SPDX-License-Identifier: BSD-2-Clause
#include "recent.h"

#include <stdbool.h>
#include <string.h>

#include "keys.h"
#include "mem.h"

struct generation {
	struct keys *keys;
	unsigned char *values; /* by their ids */
	uint32_t capacity;
};

/* All that is found moves to the young ones. When those are `most`, they are the old ones, and who was old before is forgotten. */
struct recent {
	size_t key_size, value_size;
	uint32_t most;
	struct generation young, old;
	unsigned char *moved; /* value of what is being moved */
};

struct recent *recent_new(size_t key_size, size_t value_size, uint32_t most)
{
	struct recent *r = xcalloc(1, sizeof(*r));

	*r = (struct recent){.key_size = key_size, .value_size = value_size, .most = most,
			     .young.keys = keys_new(key_size), .old.keys = keys_new(key_size), .moved = xmalloc(value_size)};
	return r;
}

void recent_free(struct recent *r)
{
	if (!r)
		return;
	keys_free(r->young.keys);
	keys_free(r->old.keys);
	free(r->young.values);
	free(r->old.values);
	free(r->moved);
	free(r);
}

static void *value_of(const struct recent *r, const struct generation *g, uint32_t id)
{
	return g->values + id * r->value_size;
}

void *recent_add(struct recent *r, const void *key)
{
	bool is_new;

	if (keys_count(r->young.keys) == r->most) {
		struct generation forgotten = r->old;

		r->old = r->young;
		r->young = forgotten;
		keys_clear(r->young.keys);
	}
	uint32_t id = keys_id(r->young.keys, key, &is_new);
	if (id == r->young.capacity) {
		r->young.capacity = id ? id * 2 : 64;
		r->young.values = xrealloc(r->young.values, r->young.capacity * r->value_size);
	}
	return memset(value_of(r, &r->young, id), 0, r->value_size);
}

void *recent_find(struct recent *r, const void *key)
{
	uint32_t id;

	if (keys_find(r->young.keys, key, &id))
		return value_of(r, &r->young, id);
	if (!keys_find(r->old.keys, key, &id))
		return NULL;
	memcpy(r->moved, value_of(r, &r->old, id), r->value_size);
	return memcpy(recent_add(r, key), r->moved, r->value_size);
}
