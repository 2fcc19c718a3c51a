// SPDX-License-Identifier: BSD-2-Clause
#include "past.h"

#include <stdlib.h>

#include "capture.h"
#include "intern.h"
#include "mem.h"

enum { DEEDS_A_CPU = 1 << 13, MOST_DEEDS = 1 << 17, MOST_TASKS = 1 << 16 };

/* What a thread did, in the order of the metrics behind `waker`. */
enum deed_kind { DEED_RAN, DEED_WAITED, DEED_QUEUED };

struct deed {
	enum deed_kind kind;
	struct past_wait wait; /* of a sample task, stack, and since_ns = end_ns; of a wait for a CPU no stack */
	uint64_t ran_ns;       /* that the sample stands for */
	uint64_t previous;     /* of the same thread */
};

/* A row of the recording before it is added up: packed, for interning. */
struct link {
	uint32_t kind, task, stack, resource, other_task, other_stack;
};

struct sum {
	uint64_t count;
	double ns;
};

struct past {
	struct deed *deeds;      /* a ring: the n-th, from 1, is at n modulo its length, */
	uint64_t length;
	uint64_t count, written; /* n of the last one, and of the last that is in the recording */
	struct map *latest;      /* task -> n */
	struct intern *links;    /* of this slice */
	struct sum *sums;        /* by their ids */
	size_t sum_count, sum_capacity;
};

struct past *past_new(uint32_t cpus)
{
	struct past *p = xcalloc(1, sizeof(*p));

	p->length = cpus > MOST_DEEDS / DEEDS_A_CPU ? MOST_DEEDS : (uint64_t)cpus * DEEDS_A_CPU;
	p->deeds = xcalloc(p->length, sizeof(*p->deeds));
	p->latest = map_new();
	return p;
}

void past_free(struct past *p)
{
	if (!p)
		return;
	map_free(p->latest);
	free(p->deeds);
	free(p->sums);
	free(p);
}

static struct deed *at(struct past *p, uint64_t n)
{
	return &p->deeds[n % p->length];
}

static bool is_kept(const struct past *p, uint64_t n)
{
	return n && n + p->length > p->count;
}

static void add(struct past *p, const struct deed *deed)
{
	uint64_t n = ++p->count, later = 0, before = 0;

	if (map_count(p->latest) >= MOST_TASKS) { /* most are long gone: begin anew */
		map_free(p->latest);
		p->latest = map_new();
	}
	map_get(p->latest, deed->wait.task, &before);
	*at(p, n) = *deed;
	/* Stacks become known in no order: to where it belongs. */
	while (is_kept(p, before) && at(p, before)->wait.since_ns > deed->wait.since_ns) {
		later = before;
		before = at(p, before)->previous;
	}
	at(p, n)->previous = before;
	if (later)
		at(p, later)->previous = n;
	else
		map_put(p->latest, deed->wait.task, n);
}

void past_add_wait(struct past *p, const struct past_wait *wait)
{
	add(p, &(struct deed){.kind = DEED_WAITED, .wait = *wait});
}

void past_add_sample(struct past *p, uint32_t task, uint32_t stack, uint64_t time_ns, uint64_t ns)
{
	add(p, &(struct deed){.kind = DEED_RAN, .ran_ns = ns,
			      .wait = {.task = task, .stack = stack, .since_ns = time_ns, .end_ns = time_ns}});
}

void past_add_queue(struct past *p, uint32_t task, uint32_t weight, uint64_t since_ns, uint64_t end_ns)
{
	add(p, &(struct deed){.kind = DEED_QUEUED,
			      .wait = {.task = task, .weight = weight, .since_ns = since_ns, .end_ns = end_ns}});
}

static void add_link(struct past *p, const struct link *link, uint64_t count, double ns)
{
	uint32_t id = intern_id(p->links, link, sizeof(*link), NULL);

	if (id == p->sum_count) {
		GROW(p->sums, p->sum_count, p->sum_capacity);
		p->sums[p->sum_count++] = (struct sum){0};
	}
	p->sums[id].count += count;
	p->sums[id].ns += ns;
}

static uint32_t stack_of(const struct past_wait *w, const struct map *stacks)
{
	return site_stack(stacks, w->task, w->site, w->stack);
}

/* How long the other one did that while the first waited. Both waits were drawn, each with its own chance:
 * together they stand for the product of what each stands for. */
static double meanwhile_ns(const struct past_wait *w, const struct deed *other)
{
	const struct past_wait *o = &other->wait;
	uint64_t since = w->since_ns > o->since_ns ? w->since_ns : o->since_ns;
	uint64_t end = w->end_ns < o->end_ns ? w->end_ns : o->end_ns;
	double weight = (double)w->weight / WAIT_WEIGHT_ONE;

	if (other->kind == DEED_RAN)
		return o->since_ns >= w->since_ns && o->since_ns < w->end_ns ? weight * (double)other->ran_ns : 0;
	return end > since ? (double)(end - since) * weight * o->weight / WAIT_WEIGHT_ONE : 0;
}

static void add_deeds(struct past *p, const struct past_wait *w, struct link link, const struct map *stacks)
{
	uint32_t waker = link.kind;
	uint64_t n;

	if (!map_get(p->latest, w->waker, &n))
		return;
	for (; is_kept(p, n) && at(p, n)->wait.end_ns > w->since_ns; n = at(p, n)->previous) {
		const struct deed *other = at(p, n);
		double ns = meanwhile_ns(w, other);

		link.kind = waker + 1 + other->kind;
		link.other_stack = stack_of(&other->wait, stacks);
		if (ns > 0)
			add_link(p, &link, 1, ns);
	}
}

static void add_wait(struct past *p, const struct past_wait *w, uint32_t waker, const struct map *stacks)
{
	struct link link = {.kind = waker, .task = w->task, .stack = stack_of(w, stacks), .resource = w->resource,
			    .other_task = w->waker, .other_stack = w->waker_stack};

	if (!w->woken)
		return;
	add_link(p, &link, (w->weight + WAIT_WEIGHT_ONE / 2) / WAIT_WEIGHT_ONE,
		 (double)(w->end_ns - w->since_ns) * w->weight / WAIT_WEIGHT_ONE);
	if (w->waker && w->waker != w->task)
		add_deeds(p, w, link, stacks);
}

static void write_links(struct past *p, struct capture *c)
{
	for (uint32_t i = 0; i < p->sum_count; i++) {
		const struct link *l = intern_key(p->links, i, NULL);

		store_add_edge(c->store, &(struct edge_row){
			.slice = c->slice, .kind = l->kind, .task = l->task, .stack = l->stack, .resource = l->resource,
			.other_task = l->other_task, .other_stack = l->other_stack, .count = p->sums[i].count,
			.ns = (uint64_t)p->sums[i].ns});
	}
	p->sum_count = 0;
}

void past_write(struct past *p, struct capture *c, uint32_t waker, const struct map *stacks)
{
	p->links = intern_new();
	for (uint64_t n = p->written + 1; n <= p->count; n++)
		if (is_kept(p, n) && at(p, n)->kind == DEED_WAITED)
			add_wait(p, &at(p, n)->wait, waker, stacks);
	p->written = p->count;
	write_links(p, c);
	intern_free(p->links);
}
