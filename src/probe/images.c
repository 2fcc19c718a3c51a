// SPDX-License-Identifier: BSD-2-Clause
#include "images.h"

#include <stddef.h>
#include <string.h>

#include "buf.h"
#include "hash.h"
#include "intern.h"
#include "mem.h"

/* An interned key is this followed by the path; no padding inside. */
struct key {
	uint64_t inode;
	uint32_t kind, major, minor, pid, process, zero;
};

enum { FEW = 1024 };

struct item {
	uint32_t id, used; /* in which period, that is between two calls of images_forget() */
};

struct images {
	struct intern *keys;
	struct item *items; /* by key */
	uint32_t capacity;
	struct map *places; /* id -> key */
	uint32_t last, period, most;
	struct buf key; /* that is looked for: each frame of Python asks for one */
};

struct images *images_new(void)
{
	struct images *m = xcalloc(1, sizeof(*m));

	m->keys = intern_new();
	m->places = map_new();
	m->most = FEW;
	m->key = (struct buf)BUF_INIT;
	return m;
}

void images_free(struct images *m)
{
	if (!m)
		return;
	intern_free(m->keys);
	map_free(m->places);
	free(m->items);
	buf_done(&m->key);
	free(m);
}

static void put(struct images *m, uint32_t place, struct item item)
{
	GROW(m->items, place, m->capacity);
	m->items[place] = item;
	map_put(m->places, item.id, place);
}

uint32_t images_id(struct images *m, const struct image *module)
{
	struct key key = {.inode = module->inode, .kind = module->kind, .major = module->major,
			  .minor = module->minor, .pid = module->pid, .process = module->process};
	bool is_new;

	buf_reset(&m->key);
	buf_add(&m->key, &key, sizeof(key));
	buf_addstr(&m->key, module->path);
	uint32_t place = intern_id(m->keys, m->key.data, m->key.len, &is_new);
	if (is_new)
		put(m, place, (struct item){.id = ++m->last});
	m->items[place].used = m->period;
	return m->items[place].id;
}

struct image images_get(struct images *m, uint32_t id)
{
	uint64_t place;
	struct key key;

	if (!map_get(m->places, id, &place))
		return (struct image){.kind = IMAGE_UNKNOWN, .path = "[unknown]"};
	m->items[place].used = m->period;
	const char *bytes = intern_key(m->keys, (uint32_t)place, NULL);
	memcpy(&key, bytes, sizeof(key));
	return (struct image){.kind = key.kind, .path = bytes + sizeof(key), .major = key.major,
			       .minor = key.minor, .inode = key.inode, .pid = key.pid, .process = key.process};
}

bool images_has(const struct images *m, uint32_t id)
{
	return map_get(m->places, id, NULL);
}

bool images_many(const struct images *m)
{
	return intern_count(m->keys) >= m->most;
}

void images_use(struct images *m, uint32_t id)
{
	images_get(m, id);
}

void images_forget(struct images *m)
{
	struct images old = *m;

	m->keys = intern_new();
	m->places = map_new();
	m->items = NULL;
	m->capacity = 0;
	for (uint32_t i = 0; i < intern_count(old.keys); i++) {
		size_t len;
		const void *key = intern_key(old.keys, i, &len);

		if (old.items[i].used == m->period)
			put(m, intern_id(m->keys, key, len, NULL), old.items[i]);
	}
	m->period++;
	m->most = FEW + 2 * intern_count(m->keys);
	intern_free(old.keys);
	map_free(old.places);
	free(old.items);
}

const char *image_kind_name(enum image_kind kind)
{
	static const char *const names[] = {
		[IMAGE_KERNEL] = "kernel", [IMAGE_ELF] = "elf", [IMAGE_VDSO] = "vdso",
		[IMAGE_JIT] = "jit", [IMAGE_UNKNOWN] = "unknown",
		[IMAGE_PYTHON] = "python",
	};

	return names[kind];
}
