/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums of rows that come and go: what is taken away leaves exactly what was there before it was added, because
 * unsigned sums wrap. */
#pragma once
#include <stdint.h>

/* What a row is about: ids in the store, 0 none. */
enum { BY_METRIC, BY_TASK, BY_STACK, BY_RESOURCE, BY_OTHER_TASK, BY_OTHER_STACK, LEDGER_KEYS, BY_BUCKET = BY_TASK };

struct ledger_row {
	uint32_t key[LEDGER_KEYS];
	uint64_t count, value;
};

struct ledger {
	struct ledger_row *rows;
	uint32_t count, capacity;
	uint32_t *slots; /* index + 1; 0: free */
	uint32_t slot_count;
};

void ledger_add(struct ledger *t, const uint32_t key[LEDGER_KEYS], uint64_t count, uint64_t value);
void ledger_pack(struct ledger *t); /* rows of nothing are given up, if there are many */
void ledger_clear(struct ledger *t);
void ledger_done(struct ledger *t);
