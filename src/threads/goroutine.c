// SPDX-License-Identifier: BSD-2-Clause
#include "goroutine.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "mem.h"
#include "threads.h"

#ifdef __x86_64__
static const bool understood = true;
#else
static const bool understood = false; /* elsewhere Go's frames look otherwise */
#endif

#define ARENA_START 0xc000000000ull /* where Go's heap begins */
#define ARENA_END 0xd000000000ull

enum {
	MOST_DATA = 64 << 20, /* bytes of variables that are searched, */
	MOST_TRIES = 1 << 16, /* and words in them that look like a list */
	MOST_GOROUTINES = 1 << 14, /* that are read */
	MOST_ROOM = 1 << 24,       /* in the list */
	STACK_BYTES = 64 << 10,
	FUNCTION_ALIGN = 16,
	MOST_WAITER_WORDS = 160, /* of a stack: what it waits on is noted near its end */
};

/* Words of the runtime's struct g. The same in all versions up to SELF, which is a pointer to itself: that tells one. */
enum { LOW = 0, HIGH = 1, SP = 7, PC = 8, SELF = 9, BP_LATER = 12, BP = 13, G_WORDS = 24 };

/* Words of its struct sudog: somebody who waits. */
enum { WAITER_G = 0, WAITER_ELEMENT = 3, WAITER_CHANNEL = 10, WAITER_WORDS = 11 };

/* Which word has the status; the number follows it. From 1.17, from 1.23, and from 1.25 as at first. */
static const unsigned layouts[] = {18, 19};

enum { SCANNED = 0x1000 }; /* a flag of the status: the collector looks at its stack */

static bool in_heap(uint64_t address)
{
	return address % 8 == 0 && address >= ARENA_START && address < ARENA_END;
}

static bool read_words(const struct space *s, uint64_t at, uint64_t words[G_WORDS])
{
	return in_heap(at) && space_read_all(s, at, words, G_WORDS * sizeof(*words)) && words[SELF] == at;
}

static uint32_t status_of(const uint64_t words[G_WORDS], unsigned layout)
{
	return (uint32_t)words[layout] & ~(uint32_t)SCANNED;
}

/* A slice of goroutines, of which the first is that of main(). */
static bool is_list(struct goroutines *g, const uint64_t slice[3])
{
	uint64_t first, words[G_WORDS];

	if (!in_heap(slice[0]) || !slice[1] || slice[1] > slice[2] || slice[2] > MOST_ROOM || !g->tries || !g->tries-- ||
	    !space_read_all(g->space, slice[0], &first, sizeof(first)) || !read_words(g->space, first, words))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		g->layout = layouts[i];
		if (words[g->layout + 1] == 1 && status_of(words, g->layout) < GO_STATUSES)
			return true;
	}
	return false;
}

static bool find_in_data(struct goroutines *g, const struct space_mapping *m, uint64_t *left)
{
	uint64_t len = m->end - m->start;
	bool found = false;

	if (len > *left)
		return false;
	*left -= len;
	_cleanup_free_ uint64_t *words = xcalloc(len / sizeof(*words) + 1, sizeof(*words));
	size_t count = space_read(g->space, m->start, words, len) / sizeof(*words);
	for (size_t i = 0; i + 3 <= count && !found; i++) {
		found = is_list(g, &words[i]);
		if (found)
			g->list = m->start + i * sizeof(*words);
	}
	explicit_bzero(words, len);
	return found;
}

static bool find_list(struct goroutines *g)
{
	const struct space *s = g->space;
	const struct space_mapping *heap = space_find(s, ARENA_START);
	uint64_t left = MOST_DATA;

	g->tries = MOST_TRIES;
	if (!heap || !heap->writable)
		return false;
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].writable && space_data(s, s->items[i].start) && find_in_data(g, &s->items[i], &left))
			return true;
	return false;
}

/* Go keeps frame pointers. */
static void walk(struct goroutine *g, uint64_t pc, uint64_t bp, const uint64_t *stack, size_t count)
{
	g->frames[g->frame_count++] = pc;
	while (g->frame_count < GOROUTINE_FRAMES && bp >= g->sp && bp % 8 == 0 && (bp - g->sp) / 8 + 1 < count) {
		const uint64_t *frame = &stack[(bp - g->sp) / 8];

		if (!frame[1])
			break;
		g->frames[g->frame_count++] = frame[1];
		if (frame[0] <= bp)
			break;
		bp = frame[0];
	}
}

/* It has a note of its own about that, whose address is on its stack. */
static void find_what_it_waits_on(const struct space *s, struct goroutine *g, const uint64_t *stack, size_t count)
{
	uint64_t note[WAITER_WORDS];

	for (size_t i = 0; i < count && i < MOST_WAITER_WORDS && !g->waits_on; i++) {
		if (!in_heap(stack[i]) || (stack[i] >= g->low && stack[i] < g->high) ||
		    !space_read_all(s, stack[i], note, sizeof(note)) || note[WAITER_G] != g->at)
			continue;
		g->at_channel = note[WAITER_CHANNEL];
		g->waits_on = g->at_channel ? note[WAITER_CHANNEL] : note[WAITER_ELEMENT];
	}
}

/* What is deferred is kept on the stack as the address of its function. */
static void find_functions(const struct space *s, struct goroutine *g, const uint64_t *stack, size_t count)
{
	for (size_t i = 0; i < count && g->function_count < GOROUTINE_FUNCTIONS; i++) {
		const struct space_mapping *m = stack[i] && stack[i] % FUNCTION_ALIGN == 0 ? space_find(s, stack[i]) : NULL;

		if (m && m->executable)
			g->functions[g->function_count++] = stack[i];
	}
}

static bool is_parked(const struct goroutine *g)
{
	return g->status != GO_RUNNING && g->status != GO_SYSCALL && g->sp >= g->low && g->sp < g->high;
}

static void read_stack(const struct space *s, struct goroutine *g, const uint64_t words[G_WORDS])
{
	uint64_t left = g->high - g->sp, bp = words[BP];
	_cleanup_free_ uint64_t *stack = xcalloc(STACK_BYTES, 1);
	size_t count = space_read(s, g->sp, stack, left < STACK_BYTES ? left : STACK_BYTES) / sizeof(*stack);

	if (bp < g->sp || bp >= g->high)
		bp = words[BP_LATER];
	walk(g, words[PC], bp, stack, count);
	find_functions(s, g, stack, count);
	if (g->status == GO_WAITING)
		find_what_it_waits_on(s, g, stack, count);
	g->look = hash_bytes(stack, count * sizeof(*stack));
	explicit_bzero(stack, STACK_BYTES);
}

static bool read_goroutine(const struct goroutines *all, uint64_t at, struct goroutine *g)
{
	uint64_t words[G_WORDS];

	if (!read_words(all->space, at, words))
		return false;
	*g = (struct goroutine){.at = at, .id = words[all->layout + 1], .low = words[LOW], .high = words[HIGH], .sp = words[SP],
				.status = status_of(words, all->layout)};
	if (g->status == GO_IDLE || g->status == GO_DEAD || g->status >= GO_STATUSES || g->low >= g->high)
		return false;
	if (is_parked(g))
		read_stack(all->space, g, words);
	return true;
}

bool goroutines_read(struct goroutines *g, const struct space *s)
{
	uint64_t slice[2];

	*g = (struct goroutines){.space = s};
	if (!understood || !find_list(g) || !space_read_all(s, g->list, slice, sizeof(slice)))
		return false;
	g->cut = slice[1] > MOST_GOROUTINES;
	_cleanup_free_ uint64_t *list = xcalloc(MOST_GOROUTINES, sizeof(*list));
	size_t count = space_read(s, slice[0], list, (g->cut ? MOST_GOROUTINES : slice[1]) * sizeof(*list)) / sizeof(*list);
	g->items = xcalloc(count + 1, sizeof(*g->items));
	for (size_t i = 0; i < count; i++)
		g->count += read_goroutine(g, list[i], &g->items[g->count]);
	return g->count;
}

void goroutines_done(struct goroutines *g)
{
	free(g->items);
}

bool threads_suspect_goroutines(uint32_t pid)
{
	_cleanup_(space_freep) struct space *s = NULL;
	struct goroutines g;
	uint64_t first = 0;
	bool found = false;

	if (space_new(pid, &s) < 0)
		return false;
	goroutines_read(&g, s);
	/* Of one lock alone nobody could tell who holds it. */
	for (size_t i = 0; i < g.count && !found; i++) {
		uint64_t one = g.items[i].at_channel ? 0 : g.items[i].waits_on;

		found = first && one && one != first;
		first = first ? first : one;
	}
	goroutines_done(&g);
	return found;
}

bool goroutine_keeps_still(const struct goroutines *g, const struct goroutine *one)
{
	struct goroutine now;

	return one->status == GO_WAITING && read_goroutine(g, one->at, &now) && now.id == one->id && now.status == GO_WAITING &&
	       now.look == one->look && now.waits_on == one->waits_on;
}
