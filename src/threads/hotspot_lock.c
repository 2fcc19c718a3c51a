// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "hash.h"
#include "hotspot.h"
#include "mem.h"
#include "owner.h"

enum {
	MOST_THREADS = 1 << 16,
	MOST_NAME = 160,
	ANONYMOUS = 1, /* owner of a monitor that another thread has made of a lock that only its holder knows */
	MOST_LOCKS = 64, /* of those, one thread's */
};

struct java_thread {
	uint64_t at, object;
	size_t sleeper; /* 1 + its place; 0: none that we know */
};

struct machine {
	struct hotspot hotspot;
	struct java_thread *threads;
	size_t count;
	struct sleeper *sleepers;
	size_t sleeper_count;
	uint32_t blocker; /* where a thread keeps what it waits for */
	struct arena *names;
};

static struct map *index_sleepers(const struct sleeper *sleepers, size_t count)
{
	struct map *m = map_new();

	for (size_t i = 0; i < count; i++)
		if (sleepers[i].tid)
			map_put(m, sleepers[i].tid, i + 1);
	return m;
}

static void read_threads(struct machine *m)
{
	_cleanup_(map_freep) struct map *index = index_sleepers(m->sleepers, m->sleeper_count);
	const struct hotspot *h = &m->hotspot;
	uint64_t list = hotspot_word(h, 0, HOTSPOT_THREAD_LIST), count = hotspot_half(h, list, HOTSPOT_LIST_LENGTH),
		 items = hotspot_word(h, list, HOTSPOT_LIST_THREADS), sleeper;

	if (!list || count > MOST_THREADS)
		return;
	_cleanup_free_ uint64_t *threads = xcalloc(count + 1, sizeof(*threads));
	count = space_read(h->space, items, threads, count * sizeof(*threads)) / sizeof(*threads);
	m->threads = xcalloc(count + 1, sizeof(*m->threads));
	for (size_t i = 0; i < count; i++) {
		struct java_thread *t = &m->threads[m->count++];

		t->at = threads[i];
		t->object = hotspot_handle(h, t->at, HOTSPOT_THREAD_OBJECT);
		if (map_get(index, hotspot_half(h, hotspot_word(h, t->at, HOTSPOT_THREAD_OS), HOTSPOT_OS_ID), &sleeper))
			t->sleeper = sleeper;
	}
}

/* A record of the lock on the holder's own stack: before the lock became a monitor. */
static bool on_stack_of(const struct machine *m, const struct java_thread *t, uint64_t address)
{
	uint64_t sp = t->sleeper ? m->sleepers[t->sleeper - 1].sp : 0;
	const struct space_mapping *stack = sp && address >= sp ? space_find(m->hotspot.space, sp) : NULL;

	return stack && address < stack->end;
}

static bool has_locked(const struct hotspot *h, const struct java_thread *t, uint64_t object)
{
	uint64_t objects[MOST_LOCKS], base = h->at[HOTSPOT_THREAD_LOCKS] + h->at[HOTSPOT_LOCKS_BASE], top;

	if (h->at[HOTSPOT_THREAD_LOCKS] == HOTSPOT_LACKING || h->at[HOTSPOT_LOCKS_BASE] == HOTSPOT_LACKING || !object)
		return false;
	top = hotspot_half(h, t->at + h->at[HOTSPOT_THREAD_LOCKS], HOTSPOT_LOCKS_TOP);
	if (top <= base || top - base > sizeof(objects) || !space_read_all(h->space, t->at + base, objects, top - base))
		return false;
	for (size_t i = 0; i < (top - base) / sizeof(*objects); i++)
		if (objects[i] == object)
			return true;
	return false;
}

static bool owns(const struct machine *m, const struct java_thread *t, uint64_t owner, uint64_t object)
{
	const struct hotspot *h = &m->hotspot;

	if (owner == ANONYMOUS)
		return has_locked(h, t, object);
	if (h->at[HOTSPOT_THREAD_NUMBER] != HOTSPOT_LACKING)
		return hotspot_word(h, t->at, HOTSPOT_THREAD_NUMBER) == owner;
	return t->at == owner || on_stack_of(m, t, owner);
}

/* "java.util.concurrent.locks.ReentrantLock" of its inner class, which does the work. */
static void name_lock(struct machine *m, struct sleeper *s, const char *what, bool outer)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char name[MOST_NAME];

	if (!m->names || !hotspot_class_name(&m->hotspot, hotspot_class(&m->hotspot, s->lock), name, sizeof(name)))
		return;
	if (outer)
		name[strcspn(name, "$")] = 0;
	for (char *at = name; (at = strchr(at, '/'));)
		*at = '.';
	buf_addf(&b, "%s%s", what, name);
	s->name = arena_strndup(m->names, b.data, b.len);
}

static void look_at_monitor(struct machine *m, struct sleeper *s, uint64_t monitor)
{
	uint64_t owner = hotspot_word(&m->hotspot, monitor, HOTSPOT_MONITOR_OWNER),
		 object = hotspot_handle(&m->hotspot, monitor, HOTSPOT_MONITOR_OBJECT);

	for (size_t i = 0; owner && i < m->count && !s->holder; i++)
		if (owns(m, &m->threads[i], owner, object))
			s->holder = m->threads[i].sleeper;
	if (!s->holder)
		return;
	s->wakes = true;
	s->lock = object ? object : monitor;
	name_lock(m, s, "monitor of ", false);
}

/* Locks of java.util.concurrent: what the thread is parked for says who has it. */
static void look_at_blocker(struct machine *m, struct sleeper *s, const struct java_thread *t)
{
	const struct hotspot *h = &m->hotspot;
	uint64_t blocker = hotspot_reference(h, t->object, m->blocker);
	uint64_t class_ = hotspot_super(h, hotspot_class(h, blocker), "java/util/concurrent/locks/AbstractOwnableSynchronizer");
	uint64_t owner = class_ ? hotspot_reference(h, blocker, hotspot_field(h, class_, "exclusiveOwnerThread")) : 0;

	for (size_t i = 0; owner && i < m->count && !s->holder; i++)
		if (m->threads[i].object == owner)
			s->holder = m->threads[i].sleeper;
	if (!s->holder)
		return;
	s->lock = blocker;
	name_lock(m, s, "", true);
}

static void find_blocker(struct machine *m)
{
	const struct hotspot *h = &m->hotspot;

	for (size_t i = 0; i < m->count && !m->blocker; i++)
		m->blocker = hotspot_field(h, hotspot_super(h, hotspot_class(h, m->threads[i].object), "java/lang/Thread"), "parkBlocker");
}

void hotspot_lock_holders(const struct space *s, struct sleeper *sleepers, size_t count, struct arena *names)
{
	struct machine m = {.sleepers = sleepers, .sleeper_count = count, .names = names};

	if (!hotspot_open(&m.hotspot, s))
		return;
	read_threads(&m);
	find_blocker(&m);
	for (size_t i = 0; i < m.count; i++) {
		struct sleeper *sleeper = m.threads[i].sleeper ? &sleepers[m.threads[i].sleeper - 1] : NULL;

		if (!sleeper || !sleeper->futex || sleeper->holder)
			continue;
		uint64_t monitor = hotspot_word(&m.hotspot, m.threads[i].at, HOTSPOT_THREAD_PENDING);
		if (monitor)
			look_at_monitor(&m, sleeper, monitor);
		else if (m.blocker)
			look_at_blocker(&m, sleeper, &m.threads[i]);
	}
	free(m.threads);
}
