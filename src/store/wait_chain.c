// SPDX-License-Identifier: BSD-2-Clause
#include "wait_chain.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "hash.h"
#include "mem.h"
#include "store_query.h"

/* Where a thread waits. */
struct place {
	uint32_t task, stack;
	const char *cause;
	bool idle, met;           /* met: on the chain that is being walked */
	double ns, ended_ns;      /* altogether; of waits whose end was seen */
	double longest;           /* of those that were added: it says the cause */
	size_t end, behind;       /* first of its own in the arrays below */
};

/* Who ended waits at a place, from where. By place, then task. */
struct end {
	uint32_t place, task, stack;
	double ns;
};

enum { RAN = -1, QUEUED = -2 };

/* And what that one did meanwhile. By place, then task. */
struct behind {
	uint32_t place, task;
	uint32_t stack; /* where it ran, or waited: then `other` is that place */
	int64_t other;  /* or RAN, QUEUED */
	double ns;
};

struct wait_chains {
	struct arena *memory;
	struct map *index; /* task and stack -> place */
	struct place *places;
	size_t place_count, place_capacity;
	struct end *ends;
	size_t end_count, end_capacity;
	struct behind *behinds;
	size_t behind_count, behind_capacity;
};

void wait_chains_free(struct wait_chains *c)
{
	if (!c)
		return;
	arena_free(c->memory);
	map_free(c->index);
	free(c->places);
	free(c->ends);
	free(c->behinds);
	free(c);
}

static uint32_t place_of(struct wait_chains *c, uint32_t task, uint32_t stack)
{
	uint64_t key = (uint64_t)task << 32 | stack, i;

	if (map_get(c->index, key, &i))
		return (uint32_t)i;
	map_put(c->index, key, c->place_count);
	GROW(c->places, c->place_count, c->place_capacity);
	c->places[c->place_count] = (struct place){.task = task, .stack = stack, .cause = "other"};
	return (uint32_t)c->place_count++;
}

static uint32_t id_at(struct query *q, int column)
{
	int64_t id = query_int(q, column);

	return id > 0 && id <= UINT32_MAX ? (uint32_t)id : 0;
}

static double ns_at(struct query *q, int column)
{
	double ns = query_real(q, column);

	return ns > 0 ? ns : 0;
}

void wait_chains_add_wait(struct wait_chains *c, uint32_t task, uint32_t stack, const char *cause, bool idle, double ns)
{
	uint32_t i = place_of(c, task, stack);
	struct place *p = &c->places[i];

	p->ns += ns;
	if (ns < p->longest)
		return;
	p->longest = ns;
	p->idle = idle;
	if (strcmp(p->cause, cause))
		p->cause = arena_strndup(c->memory, cause, strlen(cause));
}

void wait_chains_add_end(struct wait_chains *c, uint32_t task, uint32_t stack, uint32_t other, uint32_t other_stack, double ns)
{
	GROW(c->ends, c->end_count, c->end_capacity);
	c->ends[c->end_count++] = (struct end){.place = place_of(c, task, stack), .task = other, .stack = other_stack, .ns = ns};
}

void wait_chains_add_behind(struct wait_chains *c, uint32_t task, uint32_t stack, uint32_t other, uint32_t other_stack,
			    enum hop_kind did, double ns)
{
	struct behind b = {.place = place_of(c, task, stack), .task = other, .stack = other_stack, .ns = ns,
			   .other = did == HOP_QUEUES ? QUEUED : RAN};

	if (did == HOP_WAITS)
		b.other = place_of(c, other, other_stack);
	GROW(c->behinds, c->behind_count, c->behind_capacity);
	c->behinds[c->behind_count++] = b;
}

static int load_places(struct wait_chains *c, struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT w.task, w.stack, w.cause, t.idle, sum(w.ns) AS ns FROM wait_stack w "
			     "JOIN time_metric t ON t.cause = w.cause JOIN thread th ON th.task = w.task WHERE NOT th.own "
			     "GROUP BY w.task, w.stack, w.cause ORDER BY ns", &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		wait_chains_add_wait(c, id_at(q, 0), id_at(q, 1), query_text(q, 2), query_int(q, 3), ns_at(q, 4));
	return r;
}

static int load_ends(struct wait_chains *c, struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT task, stack, other_task, other_stack, sum(ns) FROM waker_total "
			     "GROUP BY task, stack, other_task, other_stack", &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		wait_chains_add_end(c, id_at(q, 0), id_at(q, 1), id_at(q, 2), id_at(q, 3), ns_at(q, 4));
	return r;
}

static int load_behinds(struct wait_chains *c, struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;
	_cleanup_free_ char *sql = xasprintf(
		"SELECT e.task, e.stack, e.other_task, e.other_stack, iif(m.name = 'waker.run', %d, %d), sum(e.ns) "
		"FROM metric m JOIN edge_total e ON e.kind = m.id WHERE m.name IN ('waker.run', 'waker.wait') "
		"GROUP BY e.task, e.stack, e.other_task, e.other_stack, m.name = 'waker.run' "
		"UNION ALL SELECT e.task, e.stack, e.other_task, NULL, %d, sum(e.ns) FROM metric m JOIN edge_total e ON e.kind = m.id "
		"WHERE m.name = 'waker.queue' GROUP BY e.task, e.stack, e.other_task",
		HOP_ACTS, HOP_WAITS, HOP_QUEUES);
	int r = query_new(s, sql, &q);

	while (r >= 0 && (r = query_next(q)) > 0)
		wait_chains_add_behind(c, id_at(q, 0), id_at(q, 1), id_at(q, 2), id_at(q, 3), (enum hop_kind)query_int(q, 4), ns_at(q, 5));
	return r;
}

static int ends_in_order(const void *a, const void *b)
{
	const struct end *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return (x->task > y->task) - (x->task < y->task);
}

static int behinds_in_order(const void *a, const void *b)
{
	const struct behind *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return (x->task > y->task) - (x->task < y->task);
}

void wait_chains_complete(struct wait_chains *c)
{
	if (c->end_count)
		qsort(c->ends, c->end_count, sizeof(*c->ends), ends_in_order);
	if (c->behind_count)
		qsort(c->behinds, c->behind_count, sizeof(*c->behinds), behinds_in_order);
	for (size_t i = c->end_count; i-- > 0;) {
		struct place *p = &c->places[c->ends[i].place];

		p->end = i;
		p->ended_ns += c->ends[i].ns;
	}
	for (size_t i = c->behind_count; i-- > 0;)
		c->places[c->behinds[i].place].behind = i;
}

struct wait_chains *wait_chains_empty(void)
{
	struct wait_chains *c = xcalloc(1, sizeof(*c));

	c->memory = arena_new();
	c->index = map_new();
	return c;
}

int wait_chains_new(struct store *s, struct wait_chains **ret_chains)
{
	_cleanup_(wait_chains_freep) struct wait_chains *c = wait_chains_empty();
	int r;

	if ((r = load_places(c, s)) < 0 || (r = load_ends(c, s)) < 0 || (r = load_behinds(c, s)) < 0)
		return r;
	wait_chains_complete(c);
	*ret_chains = c;
	c = NULL;
	return 0;
}

double wait_chains_total(const struct wait_chains *c, bool idle)
{
	double ns = 0;

	for (size_t i = 0; i < c->place_count; i++)
		ns += idle || !c->places[i].idle ? c->places[i].ns : 0;
	return ns;
}

struct walk {
	struct wait_chains *chains;
	chain_handler *handler;
	void *arg;
	double least_ns;
	struct chain_hop hops[CHAIN_HOPS];
	size_t depth;
};

static void tell(struct walk *w, struct chain_hop last, double ns)
{
	w->hops[w->depth] = last;
	if (ns >= 1)
		w->handler(w->arg, w->hops, w->depth + 1, ns);
}

static struct chain_hop hop_of(const struct place *p)
{
	return (struct chain_hop){.kind = HOP_WAITS, .task = p->task, .stack = p->stack, .cause = p->cause, .idle = p->idle};
}

static void walk_from(struct walk *w, struct place *p, double ns);

/* Two estimates of the same time: the part stands for the whole unless much of it was not seen. */
static bool enough(double part, double whole)
{
	return part > 0 && part >= whole / 2;
}

/* `ns` of the time that waits at `p` stood behind what their waker did. */
static void walk_behind(struct walk *w, const struct behind *b, double ns)
{
	if (b->other < 0) {
		tell(w, (struct chain_hop){.kind = b->other == RAN ? HOP_ACTS : HOP_QUEUES, .task = b->task, .stack = b->stack}, ns);
		return;
	}
	struct place *other = &w->chains->places[b->other];
	if (other->met || ns < w->least_ns || w->depth + 2 >= CHAIN_HOPS)
		tell(w, hop_of(other), ns);
	else
		walk_from(w, other, ns);
}

/* What the thread that ended `ended_ns` of the waits at `p` did meanwhile. Returns the part of them that is not
 * explained by it. */
static double walk_behinds(struct walk *w, const struct place *p, uint32_t task, double ended_ns, double share)
{
	const struct wait_chains *c = w->chains;
	uint32_t index = (uint32_t)(p - c->places);
	size_t first = p->behind, last;
	double sum = 0;

	while (first < c->behind_count && c->behinds[first].place == index && c->behinds[first].task < task)
		first++;
	for (last = first; last < c->behind_count && c->behinds[last].place == index && c->behinds[last].task == task; last++)
		sum += c->behinds[last].ns;
	double scale = enough(sum, ended_ns) ? ended_ns / sum : 1;
	for (size_t i = first; i < last; i++)
		walk_behind(w, &c->behinds[i], c->behinds[i].ns * scale * share);
	return 1 - sum * scale / ended_ns;
}

/* The waits at `p` that one thread ended: ends `first` to before `last`. */
static void walk_ends(struct walk *w, const struct place *p, size_t first, size_t last, double share)
{
	const struct end *ends = w->chains->ends;
	double ended_ns = 0, rest = 1;

	for (size_t i = first; i < last; i++)
		ended_ns += ends[i].ns;
	if (ended_ns <= 0)
		return;
	if (ends[first].task)
		rest = walk_behinds(w, p, ends[first].task, ended_ns, share);
	for (size_t i = first; i < last; i++)
		tell(w, (struct chain_hop){.kind = ends[i].task ? HOP_ACTS : HOP_INTERRUPT, .task = ends[i].task,
					   .stack = ends[i].stack}, ends[i].ns * share * rest);
}

/* `ns` of the waits at `p` are what the chain so far has come to. */
static void walk_from(struct walk *w, struct place *p, double ns)
{
	const struct wait_chains *c = w->chains;
	double whole = enough(p->ended_ns, p->ns) ? p->ended_ns : p->ns, share = whole > 0 ? ns / whole : 0;
	uint32_t index = (uint32_t)(p - c->places);

	w->hops[w->depth++] = hop_of(p);
	p->met = true;
	for (size_t i = p->end, next; i < c->end_count && c->ends[i].place == index; i = next) {
		for (next = i; next < c->end_count && c->ends[next].place == index && c->ends[next].task == c->ends[i].task;)
			next++;
		walk_ends(w, p, i, next, share);
	}
	p->met = false;
	w->depth--;
	/* What goes on still, or whose end was lost. */
	tell(w, hop_of(p), ns - p->ended_ns * share);
}

void wait_chains_walk(struct wait_chains *c, bool idle, double least_ns, chain_handler *handler, void *arg)
{
	struct walk w = {.chains = c, .handler = handler, .arg = arg, .least_ns = least_ns};

	for (size_t i = 0; i < c->place_count; i++)
		if (c->places[i].ns > 0 && (idle || !c->places[i].idle))
			walk_from(&w, &c->places[i], c->places[i].ns);
}
