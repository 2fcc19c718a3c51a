// SPDX-License-Identifier: BSD-2-Clause
#include "mappings.h"

#include <string.h>

#include "mem.h"
#include "search.h"

/* A process that maps more than this has its oldest places forgotten: a JIT that never unmaps must
 * not eat our memory. */
#define MOST_MAPPINGS 65536

struct mappings {
	unsigned references;
	size_t count, capacity;
	struct mapping *items; /* sorted by start, without overlap */
	uint32_t space;
	mappings_forget *forget;
	void *forget_arg;
};

struct mappings *mappings_new(void)
{
	struct mappings *m = xcalloc(1, sizeof(*m));

	m->references = 1;
	return m;
}

struct mappings *mappings_ref(struct mappings *m)
{
	m->references++;
	return m;
}

static void changed(struct mappings *m)
{
	if (m->space)
		m->forget(m->forget_arg, m->space);
	m->space = 0;
}

void mappings_unref(struct mappings *m)
{
	if (!m || --m->references)
		return;
	changed(m);
	free(m->items);
	free(m);
}

struct mappings *mappings_own(struct mappings **m)
{
	struct mappings *copy;

	if ((*m)->references == 1)
		return *m;
	copy = mappings_new();
	copy->count = copy->capacity = (*m)->count;
	copy->items = xmalloc(copy->count * sizeof(*copy->items));
	if (copy->count)
		memcpy(copy->items, (*m)->items, copy->count * sizeof(*copy->items));
	for (size_t i = 0; i < copy->count; i++)
		copy->items[i].stored = false;
	mappings_unref(*m);
	*m = copy;
	return copy;
}

uint32_t mappings_space(const struct mappings *m)
{
	return m->space;
}

void mappings_set_space(struct mappings *m, uint32_t space, mappings_forget *forget, void *arg)
{
	m->space = space;
	m->forget = forget;
	m->forget_arg = arg;
}

void mappings_clear(struct mappings *m)
{
	changed(m);
	m->count = 0;
}

/* The first item that ends behind the address. */
static size_t lower(const struct mappings *m, uint64_t address)
{
	return COUNT_UP_TO(m->items, m->count, .end, address);
}

static void insert(struct mappings *m, size_t at, const struct mapping *mapping)
{
	GROW(m->items, m->count, m->capacity);
	memmove(&m->items[at + 1], &m->items[at], (m->count - at) * sizeof(*m->items));
	m->items[at] = *mapping;
	m->count++;
}

static void cut_out(struct mappings *m, uint64_t start, uint64_t end)
{
	size_t i = lower(m, start);

	while (i < m->count && m->items[i].start < end) {
		struct mapping *item = &m->items[i], tail = *item;

		if (item->start < start) {
			item->end = start;
			i++;
			if (tail.end <= end)
				continue;
		} else if (item->end <= end) {
			m->count--;
			memmove(item, item + 1, (m->count - i) * sizeof(*item));
			continue;
		} else {
			m->count--;
			memmove(item, item + 1, (m->count - i) * sizeof(*item));
		}
		tail.offset += end - tail.start;
		tail.start = end;
		insert(m, i, &tail);
		return;
	}
}

void mappings_add(struct mappings *m, const struct mapping *mapping)
{
	if (mapping->start >= mapping->end)
		return;
	changed(m);
	cut_out(m, mapping->start, mapping->end);
	if (m->count >= MOST_MAPPINGS)
		m->count = 0;
	insert(m, lower(m, mapping->start), mapping);
}

struct mapping *mappings_find(struct mappings *m, uint64_t address)
{
	size_t i = lower(m, address);

	return i < m->count && m->items[i].start <= address ? &m->items[i] : NULL;
}

size_t mappings_count(const struct mappings *m)
{
	return m->count;
}

const struct mapping *mappings_get(const struct mappings *m, size_t index)
{
	return &m->items[index];
}
