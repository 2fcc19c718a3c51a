// SPDX-License-Identifier: BSD-2-Clause
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "mem.h"

enum { FEW = 1024 };

static uint32_t *find_slot(const struct ledger *t, const uint32_t *key)
{
	uint32_t at = (uint32_t)hash_bytes(key, sizeof(t->rows->key)) & (t->slot_count - 1);

	while (t->slots[at] && memcmp(t->rows[t->slots[at] - 1].key, key, sizeof(t->rows->key)))
		at = (at + 1) & (t->slot_count - 1);
	return &t->slots[at];
}

static void index_rows(struct ledger *t, uint32_t slots)
{
	free(t->slots);
	t->slot_count = slots;
	t->slots = xcalloc(slots, sizeof(*t->slots));
	for (uint32_t i = 0; i < t->count; i++)
		*find_slot(t, t->rows[i].key) = i + 1;
}

void ledger_add(struct ledger *t, const uint32_t key[LEDGER_KEYS], uint64_t count, uint64_t value)
{
	uint32_t *slot;

	if (2 * (t->count + 1) > t->slot_count)
		index_rows(t, t->slot_count ? 2 * t->slot_count : FEW);
	slot = find_slot(t, key);
	if (!*slot) {
		GROW(t->rows, t->count, t->capacity);
		t->rows[t->count] = (struct ledger_row){0};
		memcpy(t->rows[t->count].key, key, sizeof(t->rows->key));
		*slot = ++t->count;
	}
	t->rows[*slot - 1].count += count;
	t->rows[*slot - 1].value += value;
}

void ledger_pack(struct ledger *t)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->count; i++)
		kept += t->rows[i].count || t->rows[i].value;
	if (t->count < FEW || 2 * kept > t->count)
		return;
	kept = 0;
	for (uint32_t i = 0; i < t->count; i++)
		if (t->rows[i].count || t->rows[i].value)
			t->rows[kept++] = t->rows[i];
	t->count = kept;
	while (t->slot_count > FEW && t->slot_count > 8 * kept)
		t->slot_count /= 2;
	index_rows(t, t->slot_count);
}

void ledger_clear(struct ledger *t)
{
	t->count = 0;
	if (t->slot_count)
		memset(t->slots, 0, t->slot_count * sizeof(*t->slots));
}

void ledger_done(struct ledger *t)
{
	free(t->rows);
	free(t->slots);
	*t = (struct ledger){0};
}
