// SPDX-License-Identifier: BSD-2-Clause
/* Who holds a lock of Python. The lock itself names nobody; but whoever took it in a `with` statement has the bound method
 * that gives it back, the lock's __exit__, among the values of that frame until then. */
#include "owner.h"

#include <string.h>
#include <sys/uio.h>

#include "hash.h"
#include "mem.h"
#include "python.h"
#include "search.h"
#include "text.h"

/* A bound method of a built-in type and a lock look alike in all versions. Where frames are is known of some; of others
 * everything on the way is tried: words of the thread's stack point to frames or into them, words there to objects. */
enum {
	STACK_BYTES = 16 << 10,
	CHUNK = 1 << 10,
	CHUNKS_BELOW = 4, /* frames of callers lie below that of the callee */
	MOST_CHUNKS = 1024,
	MOST_FRAME = 2 << 10,
	MOST_OBJECTS = 1 << 14,
	BATCH = 512,
};

/* PyCFunctionObject, from its second word on; the first two are the same for all objects. */
struct method {
	uint64_t definition, self;
};

enum { METHOD_AT = 16, LOCK_AT = 16 };

enum {
	MOST_LOCKS = 64,    /* of one thread */
	MOST_THREADS = 128, /* that are looked into, for it is dear */
};

struct search {
	const struct space *space;
	const struct space_mapping *last; /* that an address was found in */
	struct map *chunks, *objects, *definitions; /* seen; of a definition: whether it is __exit__ */
	uint64_t wanted, *found;
	size_t count;
};

static const char *name_of(const struct space_mapping *m)
{
	const char *slash = strrchr(m->path, '/');

	return slash ? slash + 1 : m->path;
}

static bool python_runs_in(const struct space *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (starts_with(name_of(&s->items[i]), "python3") || starts_with(name_of(&s->items[i]), "libpython3"))
			return true;
	return false;
}

static const struct space_mapping *mapping_of(struct search *x, uint64_t address)
{
	if (!x->last || address < x->last->start || address >= x->last->end)
		x->last = space_find(x->space, address);
	return x->last;
}

static bool is_heap(struct search *x, uint64_t address)
{
	const struct space_mapping *m = address % 8 || !address ? NULL : mapping_of(x, address);

	return m && m->writable && (!*m->path || !strcmp(m->path, "[heap]"));
}

static bool is_of_file(struct search *x, uint64_t address)
{
	const struct space_mapping *m = address % 8 || !address ? NULL : mapping_of(x, address);

	return m && *m->path == '/';
}

static bool is_new(struct map *seen, uint64_t key, size_t most)
{
	uint64_t value;

	if (map_count(seen) >= most || map_get(seen, key, &value))
		return false;
	map_put(seen, key, 0);
	return true;
}

static bool gives_back(struct search *x, uint64_t definition)
{
	uint64_t name, known;
	char text[9] = "";

	if (map_get(x->definitions, definition, &known))
		return known;
	known = space_read_all(x->space, definition, &name, sizeof(name)) &&
		space_read_all(x->space, name, text, sizeof(text)) && !memcmp(text, "__exit__", sizeof(text));
	map_put(x->definitions, definition, known);
	return known;
}

static void try_method(struct search *x, const struct method *m)
{
	uint64_t futex;

	if (x->count < MOST_LOCKS && is_of_file(x, m->definition) && is_heap(x, m->self) && gives_back(x, m->definition) &&
	    space_read_all(x->space, m->self + LOCK_AT, &futex, sizeof(futex)) && is_heap(x, futex) && futex != x->wanted)
		x->found[x->count++] = futex;
}

/* Objects that may be methods, many at a time. What follows one that cannot be read is left out. */
static void try_objects(struct search *x, const uint64_t *objects, size_t count)
{
	struct method methods[BATCH];
	struct iovec local = {methods, count * sizeof(*methods)}, remote[BATCH];
	ssize_t n;

	for (size_t i = 0; i < count; i++)
		remote[i] = (struct iovec){(void *)(uintptr_t)(objects[i] + METHOD_AT), sizeof(*methods)};
	n = process_vm_readv((pid_t)x->space->reader, &local, 1, remote, count, 0);
	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(*methods); i++)
		try_method(x, &methods[i]);
}

static void try_range(struct search *x, uint64_t start, size_t len)
{
	uint64_t words[CHUNK / sizeof(uint64_t)], objects[CHUNK / sizeof(uint64_t)];
	size_t count = 0, n = space_read(x->space, start, words, len) / sizeof(*words);

	for (size_t i = 0; i < n; i++)
		if (is_heap(x, words[i]) && is_new(x->objects, words[i], MOST_OBJECTS))
			objects[count++] = words[i];
	if (count)
		try_objects(x, objects, count);
}

static void try_stack(struct search *x, uint64_t sp)
{
	uint64_t words[STACK_BYTES / sizeof(uint64_t)];
	size_t n = space_read(x->space, sp, words, sizeof(words)) / sizeof(*words);

	for (size_t i = 0; i < n; i++) {
		if (!is_heap(x, words[i]) || words[i] - sp < sizeof(words))
			continue;
		uint64_t chunk = words[i] & ~(uint64_t)(CHUNK - 1);
		for (uint64_t at = chunk - CHUNKS_BELOW * CHUNK; at <= chunk + CHUNK; at += CHUNK)
			if (is_heap(x, at) && is_new(x->chunks, at, MOST_CHUNKS))
				try_range(x, at, CHUNK);
	}
}

/* All frames of Python that are known, by their addresses. */
struct frames {
	uint64_t *items;
	size_t count, capacity;
};

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void gather_frames(struct frames *all, const struct sleeper *sleepers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (uint32_t f = 0; sleepers[i].python && f < sleepers[i].python->depth; f++) {
			GROW(all->items, all->count, all->capacity);
			all->items[all->count++] = sleepers[i].python->addresses[f];
		}
	if (all->count)
		qsort(all->items, all->count, sizeof(*all->items), by_address);
}

/* What lies beside them may be another thread's. */
static void try_frames(struct search *x, const struct python_trace *t, const struct frames *all)
{
	for (uint32_t f = 0; f < t->depth; f++) {
		uint64_t start = t->addresses[f], end = start + MOST_FRAME;
		size_t next = COUNT_UP_TO(all->items, all->count, , start);

		if (next < all->count && all->items[next] < end)
			end = all->items[next];
		for (; start < end; start += CHUNK)
			try_range(x, start, end - start < CHUNK ? end - start : CHUNK);
	}
}

/* The futexes of locks that the thread took so; their number. It has the method of the one that it sleeps on, too. */
static size_t locks_held(const struct space *s, const struct sleeper *sleeper, const struct frames *all,
			 uint64_t ret_futexes[MOST_LOCKS])
{
	_cleanup_(map_freep) struct map *chunks = map_new(), *objects = map_new(), *definitions = map_new();
	struct search x = {.space = s, .chunks = chunks, .objects = objects, .definitions = definitions,
			   .wanted = sleeper->futex, .found = ret_futexes};

	if (sleeper->python)
		try_frames(&x, sleeper->python, all);
	else if (!all->count)
		try_stack(&x, sleeper->sp);
	return x.count;
}

void python_lock_holders(const struct space *s, struct sleeper *sleepers, size_t count, struct arena *names)
{
	uint64_t held[MOST_LOCKS];
	struct frames all = {0};

	if (!python_runs_in(s))
		return;
	gather_frames(&all, sleepers, count);
	for (size_t i = 0, looked = 0; i < count && looked < MOST_THREADS; i++) {
		size_t locks = sleepers[i].sp && !sleepers[i].moves ? locks_held(s, &sleepers[i], &all, held) : 0;

		looked += sleepers[i].sp != 0;
		for (size_t n = 0; n < locks; n++)
			for (size_t k = 0; k < count; k++)
				if (!sleepers[k].holder && sleepers[k].futex == held[n])
					sleepers[k].holder = i + 1;
	}
	free(all.items);
}
