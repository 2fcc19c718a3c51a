// SPDX-License-Identifier: BSD-2-Clause
#include "tally.h"

#include <stdlib.h>

#include "intern.h"
#include "mem.h"

void tally_add(struct tally *t, const void *key, size_t size, uint64_t count)
{
	bool is_new;

	if (!t->keys)
		t->keys = intern_new();
	uint32_t id = intern_id(t->keys, key, size, &is_new);
	if (is_new) {
		GROW(t->counts, id, t->capacity);
		t->counts[id] = 0;
	}
	t->counts[id] += count;
}

static void forget(struct tally *t)
{
	intern_free(t->keys);
	t->keys = NULL;
}

void tally_take(struct tally *t, void (*each)(void *arg, const void *key, uint64_t count), void *arg)
{
	for (uint32_t id = 0; t->keys && id < intern_count(t->keys); id++)
		each(arg, intern_key(t->keys, id, NULL), t->counts[id]);
	forget(t);
}

void tally_done(struct tally *t)
{
	forget(t);
	free(t->counts);
	*t = (struct tally){0};
}
