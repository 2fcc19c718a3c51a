// SPDX-License-Identifier: BSD-2-Clause
#include "lock_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "intern.h"
#include "mem.h"
#include "region.h"
#include "resources.h"

enum {
	LOOKS_A_SLICE = 32,      /* at a process's mappings: a tenth of a millisecond each */
	MOST_NUMBERS = 1 << 29,  /* of questions */
};

struct lock_key {
	uint32_t process, low, high;
};

struct lock {
	uint64_t address, offset; /* offset: in its file */
	uint32_t resource;
	char *place; /* "[prog+0x4060]": its name where the file has none for it; NULL: not asked for */
};

struct lock_names {
	struct capture *capture;
	struct intern *keys;
	struct lock *locks; /* by key */
	size_t count, capacity;
	uint32_t looks;
	uint32_t before;    /* locks that were forgotten: a question's number is that of the lock behind them */
	uint32_t forgotten; /* as resources_forgotten() */
};

static void named(void *arg, uint32_t what, const char *name, uint64_t start)
{
	struct lock_names *l = arg;

	if (what < l->before || what - l->before >= l->count)
		return;
	struct lock *lock = &l->locks[what - l->before];
	_cleanup_free_ char *text = name ? xasprintf("0x%" PRIx64 " (%s+0x%" PRIx64 ")", lock->address, name, lock->offset - start) :
					   xasprintf("0x%" PRIx64 " (%s)", lock->address, lock->place);

	store_add_resource(l->capture->store, lock->resource, "futex", text);
}

struct lock_names *lock_names_new(struct capture *c)
{
	struct lock_names *l = xcalloc(1, sizeof(*l));

	l->capture = c;
	l->keys = intern_new();
	l->looks = LOOKS_A_SLICE;
	stacks_name_variables(c->stacks, named, l);
	return l;
}

static void clear(struct lock_names *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->locks[i].place);
	l->before = (l->before + (uint32_t)l->count) % MOST_NUMBERS;
	l->count = 0;
}

/* An id may stand for another lock now. */
static void forget(struct lock_names *l)
{
	uint32_t forgotten = resources_forgotten(capture_resources(l->capture));

	if (l->forgotten == forgotten)
		return;
	l->forgotten = forgotten;
	clear(l);
	intern_free(l->keys);
	l->keys = intern_new();
}

void lock_names_free(struct lock_names *l)
{
	if (!l)
		return;
	stacks_name_variables(l->capture->stacks, NULL, NULL);
	clear(l);
	free(l->locks);
	intern_free(l->keys);
	free(l);
}

void lock_names_slice(struct lock_names *l)
{
	l->looks = LOOKS_A_SLICE;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static char *first_name(const struct region *r, uint64_t address, bool found)
{
	if (!found)
		return xasprintf("0x%" PRIx64, address);
	if (region_is_file(r))
		return xasprintf("0x%" PRIx64 " ([%s+0x%" PRIx64 "])", address, base_name(r->path),
				 address - r->map.start + r->map.offset);
	return xasprintf("0x%" PRIx64 " (%s)", address, *r->path ? r->path : "[anonymous memory]");
}

static void look_at(struct lock_names *l, struct process *p, uint64_t address, uint32_t what)
{
	struct lock *lock = &l->locks[what];
	struct region r;
	bool found = l->looks && region_find(p->pid, address, &r);
	bool shared = found && region_is_file(&r) && r.access[3] == 's';
	_cleanup_free_ char *name = first_name(&r, address, found), *key = shared ?
		xasprintf("%x:%x %" PRIu64 " %" PRIx64, r.map.major, r.map.minor, r.map.inode, address - r.map.start + r.map.offset) :
		xasprintf("%u %" PRIx64, p->id, address);

	l->looks -= l->looks > 0;
	lock->resource = capture_resource_keyed(l->capture, "futex", key, name);
	if (!found || !region_is_file(&r) || shared)
		return;
	lock->offset = address - r.map.start + r.map.offset;
	lock->place = xasprintf("[%s+0x%" PRIx64 "]", base_name(r.path), lock->offset);
	stacks_ask_variable(l->capture->stacks, p, &r.map, address, l->before + what);
}

uint32_t lock_names_resource(struct lock_names *l, struct process *p, uint64_t address)
{
	struct lock_key key = {.process = p->id, .low = (uint32_t)address, .high = (uint32_t)(address >> 32)};
	bool is_new;
	uint32_t what;

	forget(l);
	what = intern_id(l->keys, &key, sizeof(key), &is_new);

	if (is_new) {
		GROW(l->locks, l->count, l->capacity);
		l->locks[l->count++] = (struct lock){.address = address};
		look_at(l, p, address, what);
	}
	resources_use(capture_resources(l->capture), l->locks[what].resource, l->capture->slice);
	return l->locks[what].resource;
}
