// SPDX-License-Identifier: BSD-2-Clause
#include "arena.h"

#include <string.h>

#include "mem.h"

#define BLOCK_BYTES (64 * 1024)
#define ALIGNMENT 16

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(ALIGNMENT) unsigned char data[];
};

struct arena {
	struct block *first;
	size_t bytes;
};

struct arena *arena_new(void)
{
	return xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct block *b = a->first, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

/* A request larger than a block gets its own, put behind the first so that the first stays open. */
static struct block *add_block(struct arena *a, size_t size)
{
	size_t room = size > BLOCK_BYTES / 4 ? size : BLOCK_BYTES;
	struct block *b = xmalloc(sizeof(*b) + room);

	b->used = 0;
	b->size = room;
	a->bytes += sizeof(*b) + room;
	if (a->first && room == size) {
		b->next = a->first->next;
		a->first->next = b;
	} else {
		b->next = a->first;
		a->first = b;
	}
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct block *b = a->first;

	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (!b || b->size - b->used < size)
		b = add_block(a, size);
	void *memory = b->data + b->used;
	b->used += size;
	return memset(memory, 0, size);
}

char *arena_strndup(struct arena *a, const char *text, size_t length)
{
	char *copy = arena_alloc(a, length + 1);

	if (length)
		memcpy(copy, text, length);
	return copy;
}

size_t arena_bytes(const struct arena *a)
{
	return a->bytes;
}
