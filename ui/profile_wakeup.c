// SPDX-License-Identifier: BSD-2-Clause
/* The window's waits with those who ended them, hop by hop. */
#include <string.h>

#include "chains.h"
#include "heaviest.h"
#include "mem.h"
#include "places.h"
#include "profile.h"
#include "window.h"

/* What a chain must take of all waits to be followed, and how many waits there may be: a picture shows no more. */
#define LEAST_SHARE 0.0005
enum { MOST_WAITS = 4000 };

static bool is_of_own(const struct window *w, uint32_t task)
{
	const struct window_thread *t = window_find(w, task);

	return t && window_process(w, t->process)->own;
}

static void count(void *arg, const struct ledger_row *row)
{
	heaviest_count(arg, row->value);
}

struct waits {
	const struct screen_context *context;
	struct wait_chains *chains;
	struct heaviest heaviest;
	uint64_t rest_ns; /* of those that are not among them */
};

static void add_wait(void *arg, const struct ledger_row *row)
{
	struct waits *s = arg;
	const char *metric = window_metric_name(s->context->window, row->key[BY_METRIC]);

	if (is_of_own(s->context->window, row->key[BY_TASK]))
		return;
	if (!heaviest_has(&s->heaviest, row->value))
		s->rest_ns += row->value;
	else
		wait_chains_add_wait(s->chains, row->key[BY_TASK], row->key[BY_STACK], metric + strlen("wait."),
				     !is_held_up_metric(metric), (double)row->value);
}

/* Of everybody, as chains lead anywhere. */
static void add_ends(struct waits *s)
{
	const struct window *w = s->context->window;
	uint32_t kind = window_metric_id(w, "waker"), cursor = 0;
	const struct ledger_row *row;

	while ((row = window_next_edge(w, kind, &cursor)))
		if (heaviest_has(&s->heaviest, row->value))
			wait_chains_add_end(s->chains, row->key[BY_TASK], row->key[BY_STACK], row->key[BY_OTHER_TASK],
					    row->key[BY_OTHER_STACK], (double)row->value);
}

/* What those who ended waits did meanwhile. */
static void add_behinds(struct waits *s, const char *kind, enum hop_kind did)
{
	const struct window *w = s->context->window;
	uint32_t id = window_metric_id(w, kind), cursor = 0;
	const struct ledger_row *row;

	while ((row = window_next_edge(w, id, &cursor)))
		if (heaviest_has(&s->heaviest, row->value))
			wait_chains_add_behind(s->chains, row->key[BY_TASK], row->key[BY_STACK], row->key[BY_OTHER_TASK],
					       row->key[BY_OTHER_STACK], did, (double)row->value);
}

static struct chain_thread thread_of(void *arg, uint32_t task)
{
	const struct window *w = arg;
	const struct window_thread *t = window_find(w, task);
	const struct window_process *p = t ? window_process(w, t->process) : NULL;

	return p ? (struct chain_thread){t->comm, p->comm, p->id} : (struct chain_thread){"[unknown thread]", "[unknown process]", 0};
}

struct flame *profile_wakeups(const struct screen_context *c, bool idle)
{
	_cleanup_(wait_chains_freep) struct wait_chains *chains = wait_chains_empty();
	struct waits s = {.context = c, .chains = chains};
	struct flame *f = flame_new();

	profile_each(c, PROFILE_OFFCPU, idle, count, &s.heaviest);
	heaviest_choose(&s.heaviest, MOST_WAITS);
	profile_each(c, PROFILE_OFFCPU, idle, add_wait, &s);
	add_ends(&s);
	add_behinds(&s, "waker.run", HOP_ACTS);
	add_behinds(&s, "waker.wait", HOP_WAITS);
	add_behinds(&s, "waker.queue", HOP_QUEUES);
	wait_chains_complete(chains);
	flame_add_wait_chains(f, FLAME_NEW, chains, window_stacks(c->window), idle, LEAST_SHARE, thread_of,
			      (void *)(uintptr_t)c->window);
	if (s.rest_ns)
		flame_add(f, FLAME_NEW, &(struct flame_frame){"[many short waits]", FLAME_UNKNOWN}, 1, (double)s.rest_ns);
	return f;
}
