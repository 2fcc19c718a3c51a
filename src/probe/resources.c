// SPDX-License-Identifier: BSD-2-Clause
#include "resources.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "intern.h"
#include "mem.h"
#include "store_write.h"

enum {
	FEW = 8192,       /* about a megabyte */
	QUIET_SLICES = 5, /* what was used of late may be in rows that are not written yet */
};

struct resource {
	uint32_t id, slice; /* when it was last used */
	bool passing;
};

struct resources {
	struct store *store;
	struct intern *keys;
	struct resource *items; /* by key */
	uint32_t capacity;
	uint32_t *index;        /* into the items, by id */
	size_t index_capacity;
	uint32_t last, most;    /* id; number at which some are forgotten */
	uint32_t *free;         /* ids, the lowest first: who follows the store finds them in this order */
	size_t free_count, next_free;
	uint32_t forgotten;
};

struct resources *resources_new(struct store *s)
{
	struct resources *r = xcalloc(1, sizeof(*r));

	r->store = s;
	r->keys = intern_new();
	r->most = FEW;
	return r;
}

void resources_free(struct resources *r)
{
	if (!r)
		return;
	intern_free(r->keys);
	free(r->items);
	free(r->index);
	free(r->free);
	free(r);
}

/* The others are as many as the machine has parts, or are kept by those who measure them. */
static bool is_passing(const char *kind)
{
	static const char *const kinds[] = {"connection", "file", "futex", "address space", "semaphore"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kind, kinds[i]))
			return true;
	return false;
}

static uint32_t new_id(struct resources *r)
{
	return r->next_free < r->free_count ? r->free[r->next_free++] : ++r->last;
}

static void put(struct resources *r, uint32_t key, struct resource resource)
{
	GROW(r->items, key, r->capacity);
	r->items[key] = resource;
	GROW_ZEROED(r->index, r->index_capacity, resource.id + 1);
	r->index[resource.id] = key;
}

uint32_t resources_id(struct resources *r, const char *kind, const char *key, const char *name, uint32_t slice)
{
	_cleanup_(buf_done) struct buf bytes = BUF_INIT;
	bool is_new;
	uint32_t i;

	buf_add(&bytes, kind, strlen(kind) + 1);
	buf_addstr(&bytes, key);
	i = intern_id(r->keys, bytes.data, bytes.len, &is_new);
	if (is_new) {
		put(r, i, (struct resource){.id = new_id(r), .passing = is_passing(kind)});
		store_add_resource(r->store, r->items[i].id, kind, name);
	}
	r->items[i].slice = slice;
	return r->items[i].id;
}

void resources_use(struct resources *r, uint32_t id, uint32_t slice)
{
	if (id && id <= r->last && r->items[r->index[id]].id == id)
		r->items[r->index[id]].slice = slice;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void add_free(struct resources *r, const uint32_t *ids, size_t count)
{
	size_t left = r->free_count - r->next_free;
	uint32_t *all = xcalloc(left + count + 1, sizeof(*all));

	for (size_t i = 0; i < left; i++)
		all[i] = r->free[r->next_free + i];
	memcpy(all + left, ids, count * sizeof(*ids));
	qsort(all, left + count, sizeof(*all), compare);
	free(r->free);
	r->free = all;
	r->free_count = left + count;
	r->next_free = 0;
}

/* A table of the names that are left. */
static void rebuild(struct resources *r)
{
	struct intern *old = r->keys;
	struct resource *items = r->items;
	uint32_t count = intern_count(old);

	r->keys = intern_new();
	r->items = NULL;
	r->capacity = 0;
	for (uint32_t i = 0; i < count; i++) {
		size_t len;
		const void *key = intern_key(old, i, &len);

		if (items[i].id)
			put(r, intern_id(r->keys, key, len, NULL), items[i]);
	}
	intern_free(old);
	free(items);
}

void resources_end_slice(struct resources *r, uint32_t slice)
{
	_cleanup_free_ uint32_t *ids = NULL;
	uint32_t count = intern_count(r->keys);
	size_t old = 0, gone;

	if (count < r->most || !store_is_pruned(r->store))
		return;
	ids = xcalloc(count, sizeof(*ids));
	for (uint32_t i = 0; i < count; i++)
		if (r->items[i].passing && r->items[i].slice + QUIET_SLICES < slice)
			ids[old++] = r->items[i].id;
	gone = store_forget_resources(r->store, ids, old);
	for (size_t i = 0; i < gone; i++)
		r->items[r->index[ids[i]]].id = 0;
	rebuild(r);
	for (size_t i = 0; i < gone; i++)
		r->index[ids[i]] = 0;
	add_free(r, ids, gone);
	r->most = FEW + 2 * intern_count(r->keys);
	r->forgotten++;
}

uint32_t resources_forgotten(const struct resources *r)
{
	return r->forgotten;
}
