// SPDX-License-Identifier: BSD-2-Clause
#include "explained.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "hash.h"
#include "intern.h"
#include "mem.h"
#include "own_code.h"
#include "stack_view.h"
#include "store_query.h"
#include "wait_chain.h"

#define LEAST_SHARE 1e-4 /* of all waits: what is too little to be told */

struct row_key {
	uint32_t hops[EXPLAINED_HOPS], hop_count, end;
	uint32_t function, cause; /* interned names */
};

struct explaining {
	struct explained *explained;
	struct stack_view *view;
	struct intern *names, *keys, *group_names;
	struct map *groups; /* task -> group */
};

void explained_free(struct explained *e)
{
	if (!e)
		return;
	arena_free(e->memory);
	free(e->groups);
	free(e->rows);
	free(e->knots);
	free(e);
}

static size_t without_number(const char *comm)
{
	size_t len = strlen(comm);

	while (len && comm[len - 1] >= '0' && comm[len - 1] <= '9')
		len--;
	return len;
}

static const char *copy(struct explained *e, const char *text)
{
	return arena_strndup(e->memory, text, strlen(text));
}

/* Columns: task, comm, process, pid, process's comm. */
static void add_thread(struct explaining *x, struct query *q)
{
	struct explained *e = x->explained;
	_cleanup_(buf_done) struct buf key = BUF_INIT;
	const char *comm = query_text(q, 1);
	bool is_new;

	buf_addf(&key, "%u ", (uint32_t)query_int(q, 2));
	buf_add(&key, comm, without_number(comm));
	uint32_t id = intern_id(x->group_names, key.data, key.len, &is_new);
	if (is_new) {
		GROW(e->groups, e->group_count, e->group_capacity);
		e->groups[e->group_count++] = (struct explained_group){
			.process = (uint32_t)query_int(q, 2), .pid = (uint32_t)query_int(q, 3), .comm = copy(e, comm),
			.process_comm = copy(e, query_text(q, 4))};
	}
	struct explained_group *g = &e->groups[id];
	if (g->threads++ == 1 && strcmp(g->comm, comm)) { /* several names */
		_cleanup_free_ char *pattern = xasprintf("%.*s*", (int)without_number(comm), comm);

		g->comm = copy(e, pattern);
	}
	map_put(x->groups, (uint64_t)query_int(q, 0), id);
}

static int load_groups(struct explaining *x, struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT t.id, t.comm, p.id, p.pid, p.comm FROM task t JOIN process p ON p.id = t.process "
			     "ORDER BY t.id", &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		add_thread(x, q);
	return r;
}

static bool group_of(const struct explaining *x, uint32_t task, uint32_t *ret_group)
{
	uint64_t group;

	if (!map_get(x->groups, task, &group))
		return false;
	*ret_group = (uint32_t)group;
	return true;
}

static void finish_key(struct explaining *x, const struct chain_hop *last, struct row_key *key)
{
	const char *function = own_code_of(x->view, last->stack), *cause = "";

	key->end = ENDS_RUNNING;
	if (last->kind == HOP_QUEUES)
		key->end = ENDS_QUEUED;
	if (last->kind == HOP_WAITS) {
		key->end = ENDS_WAITING;
		cause = last->cause;
	}
	key->function = intern_id(x->names, function, strlen(function), NULL);
	key->cause = intern_id(x->names, cause, strlen(cause), NULL);
}

static void add_row(struct explaining *x, const struct row_key *key, double ns)
{
	struct explained *e = x->explained;
	bool is_new;
	uint32_t id = intern_id(x->keys, key, sizeof(*key), &is_new);

	if (is_new) {
		GROW(e->rows, e->row_count, e->row_capacity);
		struct explained_row *r = &e->rows[e->row_count++];

		*r = (struct explained_row){.hop_count = key->hop_count, .end = (enum explained_end)key->end,
					    .cause = copy(e, intern_key(x->names, key->cause, NULL)),
					    .function = copy(e, intern_key(x->names, key->function, NULL))};
		memcpy(r->hops, key->hops, sizeof(r->hops));
	}
	e->rows[id].ns += ns;
	e->ns += ns;
}

/* A wait for work at the end: the one before has nothing to do, and whoever waits for it neither. Nobody came if the
 * time limit of a wait for another thread ended it. A mere timer may be more: it runs while a lock is held. */
static bool ends_idle(const struct chain_hop *last, bool interrupted)
{
	if (last->kind != HOP_WAITS)
		return false;
	if (interrupted && (!strcmp(last->cause, "lock") || !strcmp(last->cause, "ipc")))
		return true;
	return last->idle && strcmp(last->cause, "sleep");
}

static void add_chain(void *arg, const struct chain_hop *hops, size_t count, double ns)
{
	struct explaining *x = arg;
	struct row_key key = {0};

	if (count == 1)
		return; /* nobody knows how it ended, if it did */
	/* What an interrupt brings is told by the wait for it. */
	bool interrupted = hops[count - 1].kind == HOP_INTERRUPT;
	count -= interrupted;
	if (ends_idle(&hops[count - 1], interrupted))
		return;
	for (size_t i = 0; i < count; i++) {
		uint32_t group;

		if (!group_of(x, hops[i].task, &group))
			return;
		if (!key.hop_count || key.hops[key.hop_count - 1] != group)
			key.hops[key.hop_count++] = group;
	}
	finish_key(x, &hops[count - 1], &key);
	add_row(x, &key, ns);
}

static int heavier_row(const void *a, const void *b)
{
	const struct explained_row *x = a, *y = b;

	return (x->ns < y->ns) - (x->ns > y->ns);
}

static int heavier_group(const void *a, const void *b, void *arg)
{
	const struct explained *e = arg;
	double x = e->groups[*(const uint32_t *)a].held_ns, y = e->groups[*(const uint32_t *)b].held_ns;

	return (x < y) - (x > y);
}

static void find_knots(struct explained *e)
{
	_cleanup_(map_freep) struct map *pairs = map_new();

	e->knots = xcalloc(e->group_count + 1, sizeof(*e->knots));
	for (size_t i = 0; i < e->row_count; i++) {
		const struct explained_row *r = &e->rows[i];
		uint32_t first = r->hops[0], last = r->hops[r->hop_count - 1];
		uint64_t pair = (uint64_t)first << 32 | last, known;

		e->groups[first].own_ns += r->ns;
		if (r->hop_count < 2)
			continue;
		e->groups[last].held_ns += r->ns;
		e->groups[last].waiters += !map_get(pairs, pair, &known);
		map_put(pairs, pair, 1);
	}
	for (uint32_t g = 0; g < e->group_count; g++)
		if (e->groups[g].held_ns > 0)
			e->knots[e->knot_count++] = g;
	if (e->knot_count)
		qsort_r(e->knots, e->knot_count, sizeof(*e->knots), heavier_group, e);
}

int explained_new(struct store *s, struct explained **ret_explained)
{
	_cleanup_(explained_freep) struct explained *e = xcalloc(1, sizeof(*e));
	_cleanup_(wait_chains_freep) struct wait_chains *chains = NULL;
	_cleanup_(intern_freep) struct intern *names = intern_new(), *keys = intern_new(), *group_names = intern_new();
	_cleanup_(map_freep) struct map *groups = map_new();
	struct explaining x = {.explained = e, .names = names, .keys = keys, .group_names = group_names, .groups = groups};
	int r;

	e->memory = arena_new();
	if ((r = load_groups(&x, s)) < 0 || (r = stack_view_kept(s, &x.view)) < 0 || (r = wait_chains_new(s, &chains)) < 0)
		return r;
	wait_chains_walk(chains, false, LEAST_SHARE * wait_chains_total(chains, false), add_chain, &x);
	if (e->row_count)
		qsort(e->rows, e->row_count, sizeof(*e->rows), heavier_row);
	find_knots(e);
	*ret_explained = e;
	e = NULL;
	return 0;
}

double explained_share(const struct explained *e, uint32_t pid, uint32_t through)
{
	double all = 0, part = 0;

	for (size_t i = 0; i < e->row_count; i++) {
		const struct explained_row *r = &e->rows[i];
		bool passes = false;

		if (e->groups[r->hops[0]].pid != pid)
			continue;
		for (size_t n = 1; n < r->hop_count; n++)
			passes |= e->groups[r->hops[n]].pid == through;
		all += r->ns;
		part += passes ? r->ns : 0;
	}
	return all > 0 ? part / all : 0;
}
