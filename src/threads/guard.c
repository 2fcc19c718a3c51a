// SPDX-License-Identifier: BSD-2-Clause
/* Who may hold a lock of which nothing names the owner, as those of Rust and of many runtimes: whoever will give it back keeps
 * its address, in a guard on the stack or in a register, or has it in the code that comes next. So may others that do not hold
 * it. Nor does a semaphore name anybody, and it may be one that hands out work: it is taken for a lock only where nothing can come
 * from outside of the process. It is believed that threads wait for each other only where everyone who may hold the lock cannot go on himself. */
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "owner.h"

enum {
	MOST_LOCKS = 64,
	MOST_THREADS = 512,
	STACK_BYTES = 64 << 10,
	MOST_CALLS = 24,     /* of one stack, whose code is looked at */
	CODE_BYTES = 2 << 10, /* that come next in each */
};

enum evidence { NOTHING, NEAR_BY, IN_CODE, ON_STACK };

static const char *const unsure[] = {
	[NEAR_BY] = "that one has the address of what the lock is part of",
	[IN_CODE] = "that one's code will come to the lock",
	[ON_STACK] = "that one has the lock's address on its stack",
};

struct range {
	uint64_t start, end;
};

struct guards {
	const struct space *space;
	struct sleeper *sleepers;
	size_t count;
	uint64_t locks[MOST_LOCKS];
	size_t lock_count;
	unsigned char *evidence; /* enum evidence, a row for each thread */
	bool *stuck;             /* of each thread */
};

static unsigned char *evidence_of(const struct guards *g, size_t thread, size_t lock)
{
	return &g->evidence[thread * MOST_LOCKS + lock];
}

static bool waits_for_lock(const struct sleeper *s)
{
	return (s->is_lock || s->is_semaphore) && s->futex && !s->holder;
}

/* A semaphore that is waited for counts nothing. */
static bool is_held(const struct guards *g, const struct sleeper *s)
{
	uint32_t word;

	return space_read_all(g->space, s->futex, &word, sizeof(word)) && (s->is_semaphore ? !word : word);
}

static void forget_semaphores(struct guards *g)
{
	bool outside = false;

	for (size_t i = 0; i < g->count; i++)
		outside = outside || (g->sleepers[i].tid && g->sleepers[i].outside);
	for (size_t i = 0; outside && i < g->count; i++)
		g->sleepers[i].is_semaphore = false;
}

static size_t lock_of(const struct guards *g, uint64_t address)
{
	size_t i = 0;

	while (i < g->lock_count && g->locks[i] != address)
		i++;
	return i;
}

static void find_locks(struct guards *g)
{
	for (size_t i = 0; i < g->count; i++) {
		const struct sleeper *s = &g->sleepers[i];

		if (waits_for_lock(s) && g->lock_count < MOST_LOCKS && lock_of(g, s->futex) == g->lock_count && is_held(g, s))
			g->locks[g->lock_count++] = s->futex;
	}
}

static void note(struct guards *g, size_t thread, uint64_t address, enum evidence evidence)
{
	size_t lock = lock_of(g, address);

	if (lock < g->lock_count && *evidence_of(g, thread, lock) < evidence)
		*evidence_of(g, thread, lock) = (unsigned char)evidence;
}

/* Places that the code refers to by their distance, which ends an instruction, or comes before a value of 1 or 4 bytes. */
static void look_at_code(struct guards *g, size_t thread, uint64_t from)
{
#ifdef __x86_64__
	static const unsigned char behind[] = {0, 1, 4};
	unsigned char code[CODE_BYTES];
	size_t len = space_read(g->space, from, code, sizeof(code));
	int32_t distance;

	for (size_t at = 0; at + sizeof(distance) <= len; at++) {
		memcpy(&distance, code + at, sizeof(distance));
		uint64_t place = from + at + sizeof(distance) + (uint64_t)(int64_t)distance;

		for (size_t i = 0; i < g->lock_count; i++)
			for (size_t k = 0; k < sizeof(behind); k++)
				if (place + behind[k] == g->locks[i])
					note(g, thread, g->locks[i], IN_CODE);
	}
#endif
}

/* Whose variable a lock is has its address for other reasons. */
static bool is_own(const struct range *stack, uint64_t address)
{
	return address >= stack->start && address < stack->end;
}

static void look_near(struct guards *g, size_t thread, uint64_t address)
{
	for (size_t i = 0; i < g->lock_count; i++)
		if (g->locks[i] - address < g->sleepers[thread].within)
			note(g, thread, g->locks[i], NEAR_BY);
}

static void look_at_words(struct guards *g, size_t thread, const struct range *stack, const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_own(stack, words[i]))
			continue;
		note(g, thread, words[i], ON_STACK);
		if (g->sleepers[thread].within)
			look_near(g, thread, words[i]);
	}
}

static void look_at_calls(struct guards *g, size_t thread, const uint64_t *words, size_t count)
{
	const struct space_mapping *m = NULL;
	size_t calls = 0;

	for (size_t i = 0; i < count && calls < MOST_CALLS; i++) {
		m = space_find(g->space, words[i]);
		if (!m || !m->executable || *m->path != '/')
			continue;
		look_at_code(g, thread, words[i]);
		calls++;
	}
}

static struct range stack_of(const struct guards *g, const struct sleeper *s)
{
	const struct space_mapping *m = s->sp && !s->stack_end ? space_find(g->space, s->sp) : NULL;

	return m ? (struct range){m->start, m->end} : (struct range){s->stack_start, s->stack_end};
}

static void look_at_thread(struct guards *g, size_t thread)
{
	const struct sleeper *s = &g->sleepers[thread];
	const struct range own = stack_of(g, s), *stack = &own;
	static const size_t most = STACK_BYTES / sizeof(uint64_t);

	if (!own.end || s->holds_nothing)
		return;
	_cleanup_free_ uint64_t *words = xcalloc(most, sizeof(*words));
	size_t left = stack->end - s->sp, count = space_read(g->space, s->sp, words, left < STACK_BYTES ? left : STACK_BYTES);
	count /= sizeof(*words);
	look_at_words(g, thread, stack, words, count);
	look_at_words(g, thread, stack, s->registers, s->register_count);
	/* What one that waits for work will do next says nothing of what it holds. */
	if (!s->futex || s->is_lock || s->is_semaphore)
		look_at_calls(g, thread, words, count);
	explicit_bzero(words, most * sizeof(*words));
}

static enum evidence best_evidence(const struct guards *g, size_t lock)
{
	enum evidence best = NOTHING;

	for (size_t i = 0; i < g->count; i++)
		if (g->sleepers[i].futex != g->locks[lock] && *evidence_of(g, i, lock) > best)
			best = *evidence_of(g, i, lock);
	return best;
}

/* Its waiters have the address, too. Where an address near by tells as well, whoever can go on is believed with less. */
static bool may_hold(const struct guards *g, size_t thread, size_t lock, enum evidence least)
{
	if (least != NOTHING && g->sleepers[thread].within && !g->stuck[thread])
		least = NEAR_BY;
	return least != NOTHING && g->sleepers[thread].futex != g->locks[lock] && *evidence_of(g, thread, lock) >= least;
}

static bool can_go_on(const struct guards *g, size_t thread)
{
	const struct sleeper *s = &g->sleepers[thread];
	size_t lock = waits_for_lock(s) ? lock_of(g, s->futex) : g->lock_count;
	bool held = false;

	if (s->holder)
		return !g->stuck[s->holder - 1];
	if (lock == g->lock_count)
		return true;
	enum evidence best = best_evidence(g, lock);
	for (size_t i = 0; i < g->count; i++) {
		if (!may_hold(g, i, lock, best))
			continue;
		if (!g->stuck[i])
			return true;
		held = true;
	}
	return !held;
}

/* From all being stuck, those are let go who can go on, until nobody can. */
static void find_stuck(struct guards *g)
{
	bool again = true;

	memset(g->stuck, true, g->count);
	while (again) {
		again = false;
		for (size_t i = 0; i < g->count; i++) {
			if (!g->stuck[i] || !can_go_on(g, i))
				continue;
			g->stuck[i] = false;
			again = true;
		}
	}
}

/* Of those who may hold it, one who waits for a lock comes before one who waits for a thread's end. */
static void choose_holder(struct guards *g, size_t thread)
{
	struct sleeper *s = &g->sleepers[thread];
	size_t lock = waits_for_lock(s) ? lock_of(g, s->futex) : g->lock_count, holders = 0, chosen = 0;

	if (lock == g->lock_count)
		return;
	enum evidence best = best_evidence(g, lock);
	for (size_t i = 0; i < g->count; i++) {
		if (!may_hold(g, i, lock, best))
			continue;
		holders++;
		if (!chosen || (g->sleepers[i].is_lock && !g->sleepers[chosen - 1].is_lock))
			chosen = i + 1;
	}
	if (!chosen || (!g->stuck[thread] && (holders > 1 || best != ON_STACK)))
		return;
	s->likely = chosen;
	s->open = !g->stuck[thread];
}

void guard_lock_holders(const struct space *s, struct sleeper *sleepers, size_t count, struct arena *names)
{
	struct guards g = {.space = s, .sleepers = sleepers, .count = count};

	if (count > MOST_THREADS)
		return;
	forget_semaphores(&g);
	find_locks(&g);
	if (!g.lock_count)
		return;
	g.evidence = xcalloc(count, MOST_LOCKS);
	g.stuck = xcalloc(count, sizeof(*g.stuck));
	for (size_t i = 0; i < count; i++)
		look_at_thread(&g, i);
	find_stuck(&g);
	for (size_t i = 0; i < count; i++)
		choose_holder(&g, i);
	for (size_t i = 0; i < count; i++) {
		if (!sleepers[i].likely)
			continue;
		sleepers[i].holder = sleepers[i].likely;
		sleepers[i].unsure = unsure[best_evidence(&g, lock_of(&g, sleepers[i].futex))];
	}
	free(g.evidence);
	free(g.stuck);
}
