// SPDX-License-Identifier: BSD-2-Clause
/* Who holds the locks that threads of a snapshot wait for. */
#include <stdlib.h>

#include "hash.h"
#include "mem.h"
#include "owner.h"
#include "snapshot.h"

void snapshot_find_process(const struct taking *k, struct look *look)
{
	struct thread_wait *w = &look->waiting.wait;

	if (!w->tid)
		return;
	for (size_t i = 0; i < k->count; i++)
		if (k->looks[i].raw.r.tid == w->tid) {
			w->pid = k->looks[i].raw.r.tgid;
			return;
		}
	if (!is_live_thread(w->tid, &w->pid))
		w->tid = w->pid = 0;
}

/* Threads of the process, as those see them that know who holds locks. */
static void fill_sleepers(const struct look *looks, size_t count, const struct space *s, struct sleeper *sleepers)
{
	for (size_t i = 0; i < count; i++) {
		sleepers[i] = (struct sleeper){0};
		if (looks[i].space != s)
			continue;
		sleepers[i].tid = looks[i].raw.r.own_tid;
		sleepers[i].futex = waiting_unowned(&looks[i].waiting);
		sleepers[i].is_lock = waiting_is_lock(&looks[i].waiting);
		/* A handler may give it. */
		sleepers[i].is_semaphore = !looks[i].stack.python && waiting_is_semaphore(&looks[i].waiting) &&
					   !catches_signals(looks[i].raw.r.tgid, 0);
		sleepers[i].outside = !waiting_inside(&looks[i].waiting);
		sleepers[i].python = looks[i].stack.python;
		sleepers[i].moves = !looks[i].settled;
		sleepers[i].sp = stack_pointer(&looks[i].raw);
		sleepers[i].registers = looks[i].raw.r.registers;
		sleepers[i].register_count = looks[i].raw.few_registers ? 0 : ARRAY_SIZE(looks[i].raw.r.registers);
	}
}

/* Whom threads wait for that say so themselves. */
static void fill_known(const struct look *looks, size_t count, struct sleeper *sleepers)
{
	_cleanup_(map_freep) struct map *index = map_new();
	uint64_t at;

	for (size_t i = 0; i < count; i++)
		if (sleepers[i].tid)
			map_put(index, looks[i].raw.r.tid, i);
	for (size_t i = 0; i < count; i++)
		if (sleepers[i].tid && looks[i].waiting.wait.bound && map_get(index, looks[i].waiting.wait.tid, &at))
			sleepers[i].holder = at + 1;
}

static void find_owners(struct taking *k, struct look *looks, size_t count, const struct space *s, struct sleeper *sleepers)
{
	fill_sleepers(looks, count, s, sleepers);
	fill_known(looks, count, sleepers);
	owners_find(s, sleepers, count, k->result->memory);
	for (size_t i = 0; i < count; i++) {
		if (!sleepers[i].holder || looks[i].waiting.wait.tid)
			continue;
		waiting_owned(&looks[i].waiting, &sleepers[i], looks[sleepers[i].holder - 1].raw.r.tid);
		looks[i].wakes = sleepers[i].wakes;
	}
}

/* Who wakes now and then has not moved on where the same thread still holds the same lock. */
static void find_owners_again(struct taking *k, const struct space *s, struct sleeper *sleepers)
{
	fill_sleepers(k->looks, k->count, s, sleepers);
	for (size_t i = 0; i < k->count; i++)
		sleepers[i].futex = k->looks[i].space == s && k->looks[i].wakes ? k->looks[i].waiting.wait.address : 0;
	owners_find(s, sleepers, k->count, NULL);
	for (size_t i = 0; i < k->count; i++) {
		const struct thread_wait *w = &k->looks[i].waiting.wait;

		if (sleepers[i].holder && sleepers[i].wakes)
			k->looks[i].goes_on = w->tid == k->looks[sleepers[i].holder - 1].raw.r.tid && w->address == sleepers[i].lock;
	}
}

void snapshot_find_owners(struct taking *k, size_t first)
{
	_cleanup_free_ struct sleeper *sleepers = xcalloc(k->count - first + 1, sizeof(*sleepers));

	for (size_t p = 0; p < k->process_count; p++)
		if (k->spaces[p])
			find_owners(k, &k->looks[first], k->count - first, k->spaces[p], sleepers);
}

void snapshot_look_at_owners_again(struct taking *k)
{
	_cleanup_free_ struct sleeper *sleepers = xcalloc(k->count + 1, sizeof(*sleepers));

	for (size_t p = 0; p < k->process_count; p++) {
		bool wakes = false;

		for (size_t i = 0; i < k->count; i++)
			wakes = wakes || (k->looks[i].wakes && k->looks[i].space == k->spaces[p]);
		if (wakes)
			find_owners_again(k, k->spaces[p], sleepers);
	}
}
