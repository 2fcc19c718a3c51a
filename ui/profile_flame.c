// SPDX-License-Identifier: BSD-2-Clause
/* The window's stacks as a tree for pictures. Rows are added up along the store's own tree of stacks first, and what is far
 * too small to be seen goes to its caller: what is left to be told by names is bounded by the picture, not by the window. */
#include <string.h>

#include "frame_of.h"
#include "hash.h"
#include "intern.h"
#include "mem.h"
#include "profile.h"
#include "stack_view.h"
#include "window.h"

/* Of the whole. Calls of one function from several places are one frame in the picture, and several here: so it is a
 * half of what the picture leaves out. */
#define SMALLEST 0.00025

enum { UNREADABLE = UINT32_MAX }; /* a stack */

/* A stack of the processes of one name; callers come before their callees. */
struct node {
	uint32_t name, stack; /* stack 0: the process itself */
	uint32_t parent;      /* index */
	double value;         /* its own, and what was merged into it */
	double below;         /* of callees that stay */
};

struct sums {
	const struct screen_context *context;
	struct intern *names;
	uint32_t *name_of; /* of processes, + 1; 0: not asked yet */
	struct map *index; /* name and stack -> node */
	struct node *nodes;
	uint32_t count, capacity;
	double total;
};

static uint32_t node_of(struct sums *s, uint32_t name, uint32_t stack)
{
	uint64_t key = (uint64_t)name << 32 | stack, found;
	uint32_t parent;

	if (map_get(s->index, key, &found))
		return (uint32_t)found;
	parent = !stack ? UINT32_MAX : stack == UNREADABLE ? node_of(s, name, 0) :
		 node_of(s, name, stack_view_parent(window_stacks(s->context->window), stack));
	map_put(s->index, key, s->count);
	GROW(s->nodes, s->count, s->capacity);
	s->nodes[s->count] = (struct node){name, stack, parent, 0, 0};
	return s->count++;
}

static uint32_t name_of(struct sums *s, const struct window_thread *t)
{
	const struct window *w = s->context->window;
	uint32_t process = t ? t->process : window_process_count(w);
	const char *comm = t ? window_process(w, process)->comm : "[unknown process]";

	if (!s->name_of[process])
		s->name_of[process] = intern_id(s->names, comm, strlen(comm), NULL) + 1;
	return s->name_of[process] - 1;
}

static void add_row(void *arg, const struct ledger_row *row)
{
	struct sums *s = arg;
	const struct window *w = s->context->window;
	uint32_t name = name_of(s, window_find(w, row->key[BY_TASK])), stack = row->key[BY_STACK];
	uint32_t node = node_of(s, name, stack_view_place(window_stacks(w), stack) ? stack : UNREADABLE);

	s->nodes[node].value += (double)row->value;
	s->total += (double)row->value;
}

/* From the leaves to the roots: a node has all that was merged into it when its turn comes. */
static void merge_small(struct sums *s)
{
	for (uint32_t i = s->count; i-- > 0;) {
		struct node *n = &s->nodes[i];

		if (n->parent == UINT32_MAX)
			continue;
		if (n->value + n->below >= SMALLEST * s->total) {
			s->nodes[n->parent].below += n->value + n->below;
		} else {
			s->nodes[n->parent].value += n->value;
			n->value = 0;
		}
	}
}

enum { MOST_INLINED = 64 };

static size_t frames_of(const struct sums *s, const struct node *n, struct flame_frame frames[MOST_INLINED])
{
	size_t count;
	const struct stack_frame *own = stack_view_own(window_stacks(s->context->window), n->stack, &count);

	if (!n->stack) {
		frames[0] = (struct flame_frame){intern_key(s->names, n->name, NULL), FLAME_TASK};
		return 1;
	}
	if (n->stack == UNREADABLE) {
		frames[0] = (struct flame_frame){"[stack not readable]", FLAME_UNKNOWN};
		return 1;
	}
	if (count > MOST_INLINED)
		count = MOST_INLINED;
	for (size_t i = 0; i < count; i++)
		frames[i] = (struct flame_frame){own[i].name, flame_kind_of(&own[i])};
	return count;
}

/* What was not merged, from the roots to the leaves. */
static struct flame *name_nodes(const struct sums *s)
{
	_cleanup_free_ uint32_t *places = xcalloc(s->count + 1, sizeof(*places));
	struct flame_frame frames[MOST_INLINED];
	struct flame *f = flame_new();

	for (uint32_t i = 0; i < s->count; i++) {
		const struct node *n = &s->nodes[i];

		if (n->value + n->below <= 0)
			continue;
		places[i] = flame_node(f, n->parent == UINT32_MAX ? 0 : places[n->parent], frames, frames_of(s, n, frames));
		flame_add_to(f, FLAME_NEW, places[i], n->value);
	}
	return f;
}

struct flame *profile_flame(const struct screen_context *c, enum profile profile, bool idle)
{
	_cleanup_free_ uint32_t *names = xcalloc(window_process_count(c->window) + 1, sizeof(*names));
	struct sums s = {.context = c, .names = intern_new(), .name_of = names, .index = map_new()};
	struct flame *f;

	profile_each(c, profile, idle, add_row, &s);
	merge_small(&s);
	f = name_nodes(&s);
	free(s.nodes);
	map_free(s.index);
	intern_free(s.names);
	return f;
}
