// SPDX-License-Identifier: BSD-2-Clause
#include "unwind_memo.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "mem.h"
#include "protocol.h"
#include "unwind.h"

enum {
	SETS = 128, /* powers of two */
	WAYS = 4,   /* ways to get to one place with one stack pointer that are remembered, or places of one hash */
	SIGHTINGS = 4096,
	MOST_HITS = 500, /* then the child looks again: it keeps the tables that it needs, and may have better ones by now */
};

struct memory {
	struct record_explained head; /* depth 0: free */
	uint64_t *data; /* registers, addresses, words: as in the record */
	uint32_t hits, used; /* used: when, in calls */
};

struct unwind_memo {
	struct memory items[SETS * WAYS]; /* set by set */
	uint32_t sightings[SIGHTINGS]; /* hashes of what was asked for */
	uint32_t calls;
	bool expects;  /* an explanation, */
	uint32_t space; /* of a stack in it */
};

struct unwind_memo *unwind_memo_new(void)
{
	return xcalloc(1, sizeof(struct unwind_memo));
}

static void clear(struct memory *y)
{
	if (y->data)
		explicit_bzero(y->data, explained_bytes(&y->head));
	free(y->data);
	*y = (struct memory){0};
}

void unwind_memo_forget_all(struct unwind_memo *m)
{
	for (size_t i = 0; i < SETS * WAYS; i++)
		clear(&m->items[i]);
	m->expects = false;
}

void unwind_memo_free(struct unwind_memo *m)
{
	if (m)
		unwind_memo_forget_all(m);
	free(m);
}

void unwind_memo_forget(struct unwind_memo *m, uint32_t space)
{
	for (size_t i = 0; i < SETS * WAYS; i++)
		if (m->items[i].head.space == space && m->items[i].head.depth)
			clear(&m->items[i]);
}

static uint64_t hash_of(uint32_t space, const uint64_t *regs)
{
	return hash_u64(regs[UNWIND_RIP] ^ hash_u64(regs[UNWIND_RSP] ^ (uint64_t)space << 48));
}

static struct memory *set_of(struct unwind_memo *m, uint64_t hash)
{
	return &m->items[hash % SETS * WAYS];
}

static const uint64_t *addresses_of(const struct memory *y)
{
	return y->data + UNWIND_X86_64_REGS;
}

static bool same_registers(const struct memory *y, const struct unwind_regs *regs)
{
	if (y->head.regs & ~regs->known)
		return false;
	for (uint64_t left = y->head.regs; left; left &= left - 1) {
		unsigned reg = (unsigned)__builtin_ctzll(left);

		if (y->data[reg] != regs->value[reg])
			return false;
	}
	return true;
}

static bool same_words(const struct memory *y, const struct unwind_capture *c)
{
	const uint64_t *word = addresses_of(y) + y->head.depth; /* pairs of address and value */

	for (uint32_t i = 0; i < y->head.words; i++, word += 2) {
		uint64_t at = word[0] - c->start;

		if (c->len < 8 || at > c->len - 8 || memcmp((const char *)c->bytes + at, &word[1], 8))
			return false;
	}
	return true;
}

static bool is_like(const struct memory *y, const struct unwind_capture *c)
{
	return y->head.depth && y->head.space == c->space && y->head.stack_start == c->start && y->head.stack_len == c->len &&
	       same_registers(y, c->regs) && same_words(y, c);
}

const uint64_t *unwind_memo_find(struct unwind_memo *m, const struct unwind_capture *c, size_t *ret_depth, bool *ret_again)
{
	uint64_t hash = hash_of(c->space, c->regs->value);
	struct memory *set = set_of(m, hash);
	uint32_t *sighting = &m->sightings[hash % SIGHTINGS];

	m->calls++;
	*ret_again = *sighting == (uint32_t)(hash >> 32);
	*sighting = (uint32_t)(hash >> 32);
	for (int i = 0; i < WAYS; i++) {
		if (!is_like(&set[i], c))
			continue;
		if (set[i].hits++ == MOST_HITS) {
			clear(&set[i]);
			return NULL;
		}
		set[i].used = m->calls;
		*ret_depth = set[i].head.depth;
		return addresses_of(&set[i]);
	}
	return NULL;
}

void unwind_memo_expect(struct unwind_memo *m, bool explanation, uint32_t space)
{
	m->expects = explanation;
	m->space = space;
}

static bool is_right(const struct record_explained *r)
{
	return r->depth && r->depth <= EXPLAINED_DEPTH && r->words <= UNWIND_NEEDS_MAX && r->head.size == sizeof(*r) + explained_bytes(r) &&
	       !(r->regs >> UNWIND_X86_64_REGS);
}

bool unwind_memo_learn(struct unwind_memo *m, const struct record_explained *r)
{
	const uint64_t *data = (const uint64_t *)(r + 1);
	struct memory *set, *oldest;

	if (!m->expects || r->space != m->space || !is_right(r))
		return false;
	m->expects = false;
	oldest = set = set_of(m, hash_of(r->space, data));
	for (int i = 1; i < WAYS; i++)
		if (m->calls - set[i].used > m->calls - oldest->used)
			oldest = &set[i];
	clear(oldest);
	*oldest = (struct memory){.head = *r, .data = xmalloc(explained_bytes(r)), .used = m->calls};
	memcpy(oldest->data, data, explained_bytes(r));
	return true;
}
