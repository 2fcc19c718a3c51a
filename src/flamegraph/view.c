// SPDX-License-Identifier: BSD-2-Clause
#include "view.h"

#include <string.h>

#include "arena.h"
#include "mem.h"
#include "trie.h"

/* Room for building; arrays are by trie node unless they say otherwise. */
struct plan {
	const struct trie_node *trie;
	uint32_t count;
	uint32_t *first_child; /* index into children; [count] ends the last one's */
	uint32_t *children;
	uint32_t *preorder;
	double *total[FLAME_SIDES];
	uint32_t *shown; /* how many frames of the label are shown */
	double scale;    /* of FLAME_BASE */
};

static void plan_done(struct plan *p)
{
	free(p->first_child);
	free(p->children);
	free(p->preorder);
	for (int side = 0; side < FLAME_SIDES; side++)
		free(p->total[side]);
	free(p->shown);
}

/* A counting sort by parent. */
static void find_children(struct plan *p)
{
	uint32_t *first = xcalloc((size_t)p->count + 2, sizeof(*first));

	p->first_child = first;
	p->children = xmalloc(p->count * sizeof(*p->children));
	for (uint32_t i = 1; i < p->count; i++)
		first[p->trie[i].parent + 2]++;
	for (uint32_t i = 2; i <= p->count + 1; i++)
		first[i] += first[i - 1];
	for (uint32_t i = 1; i < p->count; i++)
		p->children[first[p->trie[i].parent + 1]++] = i;
}

static void find_preorder(struct plan *p)
{
	_cleanup_free_ uint32_t *stack = xmalloc(p->count * sizeof(*stack));
	uint32_t depth = 0, n = 0;

	p->preorder = xmalloc(p->count * sizeof(*p->preorder));
	stack[depth++] = 0;
	while (depth) {
		uint32_t node = stack[--depth];

		p->preorder[n++] = node;
		for (uint32_t c = p->first_child[node]; c < p->first_child[node + 1]; c++)
			stack[depth++] = p->children[c];
	}
}

static void sum_up(struct plan *p)
{
	for (int side = 0; side < FLAME_SIDES; side++) {
		double *total = xmalloc(p->count * sizeof(*total));

		for (uint32_t i = 0; i < p->count; i++)
			total[i] = p->trie[i].self[side];
		for (uint32_t n = p->count - 1; n > 0; n--) {
			uint32_t node = p->preorder[n];
			total[p->trie[node].parent] += total[node];
		}
		p->total[side] = total;
	}
}

/* The width that a node needs in either picture. A child's is never above its parent's. */
static double weight(const struct plan *p, uint32_t node)
{
	double base = p->total[FLAME_BASE][node] * p->scale;

	return p->total[FLAME_NEW][node] > base ? p->total[FLAME_NEW][node] : base;
}

struct candidate {
	double weight;
	uint32_t node, depth, frames;
};

static int by_weight(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;

	return (a->weight < b->weight) - (a->weight > b->weight);
}

/* Counts the frames of a label, `max` at most. */
static uint32_t count_frames(const struct trie_node *n, uint32_t max, bool *ret_more)
{
	const char *p = n->label, *end = n->label + n->label_len;
	uint32_t frames = 1;

	while ((p = memchr(p, ';', (size_t)(end - p)))) {
		if (frames >= max) {
			*ret_more = true;
			break;
		}
		frames++;
		p++;
	}
	return frames;
}

/* All nodes over the threshold, with as many frames as max_depth leaves them. */
static struct candidate *find_candidates(const struct plan *p, double threshold, uint32_t max_depth,
					 uint32_t *ret_count, uint64_t *ret_frames, bool *ret_cut)
{
	struct candidate *list = NULL;
	_cleanup_free_ uint32_t *depth = xcalloc(p->count, sizeof(*depth)); /* of the last frame */
	uint32_t count = 0, capacity = 0;

	*ret_frames = 0;
	for (uint32_t n = 1; n < p->count; n++) {
		uint32_t node = p->preorder[n], above = depth[p->trie[node].parent];

		depth[node] = above;
		if (!(weight(p, node) > 0) || weight(p, node) < threshold)
			continue;
		if (above >= max_depth) {
			*ret_cut = true;
			continue;
		}
		uint32_t frames = count_frames(&p->trie[node], max_depth - above, ret_cut);
		depth[node] = above + frames;
		GROW(list, count, capacity);
		list[count++] = (struct candidate){weight(p, node), node, above, frames};
		*ret_frames += frames;
	}
	*ret_count = count;
	return list;
}

/* How many of a candidate's frames lie above this depth. */
static uint32_t frames_above(const struct candidate *c, uint32_t depth)
{
	uint32_t n = depth > c->depth ? depth - c->depth : 0;

	return n < c->frames ? n : c->frames;
}

static uint64_t sum_above(const struct candidate *list, uint32_t count, uint32_t depth)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += frames_above(&list[i], depth);
	return sum;
}

/* The greatest depth down to which these candidates need no more than `room` frames. */
static uint32_t find_depth(const struct candidate *list, uint32_t count, uint64_t room)
{
	uint32_t low = 0, high = UINT32_MAX;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2 + 1;

		if (sum_above(list, count, middle) <= room)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* All frames if there is room, else the heaviest, and of those that weigh the same the nearest to
 * the root. Either way a frame is shown only below a shown caller. */
static void choose(struct plan *p, const struct flame_limits *limits, double total, bool *ret_cut)
{
	uint32_t max_depth = limits->max_depth ? limits->max_depth : UINT32_MAX, count;
	uint64_t frames, room = limits->max_frames ? limits->max_frames : UINT64_MAX;
	_cleanup_free_ struct candidate *list = find_candidates(
		p, limits->min_share * total, max_depth, &count, &frames, ret_cut);

	p->shown = xcalloc(p->count, sizeof(*p->shown));
	if (frames > room) {
		qsort(list, count, sizeof(*list), by_weight);
		*ret_cut = true;
	}
	for (uint32_t i = 0, end; i < count && room; i = end) {
		uint32_t depth = UINT32_MAX;

		for (end = i + 1; end < count && list[end].weight == list[i].weight;)
			end++;
		if (sum_above(&list[i], end - i, depth) > room)
			depth = find_depth(&list[i], end - i, room);
		for (uint32_t c = i; c < end; c++)
			p->shown[list[c].node] = frames_above(&list[c], depth);
		room = depth == UINT32_MAX ? room - sum_above(&list[i], end - i, depth) : 0;
	}
}

static int by_name(const void *x, const void *y, void *arg)
{
	const struct trie_node *trie = arg;
	const struct trie_node *a = &trie[*(const uint32_t *)x], *b = &trie[*(const uint32_t *)y];
	size_t a_len = frame_length(a->label, a->label_len);
	size_t b_len = frame_length(b->label, b->label_len);
	int order = memcmp(a->label, b->label, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static const char *clean_name(struct flame_view *v, const char *name, size_t len)
{
	if (!memchr(name, TRIE_SEMICOLON, len))
		return name;
	char *copy = arena_strndup(v->names, name, len);
	for (size_t i = 0; i < len; i++)
		if (copy[i] == TRIE_SEMICOLON)
			copy[i] = ';';
	return copy;
}

/* Appends the shown frames of a trie node below view node `parent`; the last one's index. */
static uint32_t add_frames(struct flame_view *v, const struct plan *p, uint32_t node,
			   uint32_t parent, uint32_t *capacity)
{
	const struct trie_node *t = &p->trie[node];
	const char *text = t->label;
	size_t left = t->label_len;

	for (uint32_t i = 0; i < p->shown[node]; i++) {
		size_t frame = frame_length(text, left), len = frame;
		enum flame_kind kind = frame_kind(text, &len);
		bool last = frame == left;

		GROW(v->nodes, v->count, *capacity);
		v->nodes[v->count] = (struct flame_node){
			.name = clean_name(v, text, len),
			.name_len = (uint32_t)len,
			.kind = kind,
			.depth = v->nodes[parent].depth + 1,
			.parent = parent,
			.value = p->total[FLAME_NEW][node],
			.self = last ? t->self[FLAME_NEW] : 0,
			.base = p->total[FLAME_BASE][node] * p->scale,
		};
		parent = v->count++;
		if (v->nodes[parent].depth > v->depth)
			v->depth = v->nodes[parent].depth;
		text += frame + 1;
		left -= last ? left : frame + 1;
	}
	return parent;
}

struct visit {
	uint32_t node, parent; /* in the trie; in the view */
};

/* Puts a node's shown children on the stack, the last name first. */
static void push_children(const struct plan *p, uint32_t node, uint32_t parent,
			  struct visit **stack, uint32_t *depth, uint32_t *capacity)
{
	uint32_t first = p->first_child[node], last = p->first_child[node + 1], kept = first;

	for (uint32_t c = first; c < last; c++)
		if (p->shown[p->children[c]])
			p->children[kept++] = p->children[c];
	if (kept > first)
		qsort_r(p->children + first, kept - first, sizeof(*p->children), by_name,
			(void *)(uintptr_t)p->trie);
	while (kept > first) {
		GROW(*stack, *depth, *capacity);
		(*stack)[(*depth)++] = (struct visit){p->children[--kept], parent};
	}
}

static void expand(struct flame_view *v, const struct plan *p)
{
	_cleanup_free_ struct visit *stack = NULL;
	uint32_t depth = 0, stack_capacity = 0, capacity = 0;

	GROW(v->nodes, v->count, capacity);
	v->nodes[v->count++] = (struct flame_node){
		.name = "all", .name_len = 3, .kind = FLAME_TASK, .value = p->total[FLAME_NEW][0],
		.self = p->trie[0].self[FLAME_NEW], .base = p->total[FLAME_BASE][0] * p->scale};
	push_children(p, 0, 0, &stack, &depth, &stack_capacity);
	while (depth) {
		struct visit visit = stack[--depth];
		uint32_t leaf = add_frames(v, p, visit.node, visit.parent, &capacity);

		push_children(p, visit.node, leaf, &stack, &depth, &stack_capacity);
	}
	for (uint32_t i = v->count; i-- > 0;) {
		struct flame_node *n = &v->nodes[i], *parent = &v->nodes[n->parent];

		if (n->end < i + 1)
			n->end = i + 1;
		if (i && parent->end < n->end)
			parent->end = n->end;
	}
}

struct flame_view *flame_view_new(const struct flame *f, const struct flame_limits *limits)
{
	_cleanup_(plan_done) struct plan p = {0};
	struct flame_view *v = xcalloc(1, sizeof(*v));

	v->names = arena_new();
	v->total = flame_total(f, FLAME_NEW);
	v->base_total = flame_total(f, FLAME_BASE);
	/* When everything is new or everything is gone, there is nothing to scale to. */
	p.scale = v->base_total > 0 && v->total > 0 ? v->total / v->base_total : 1;
	p.trie = flame_nodes(f, &p.count);
	find_children(&p);
	find_preorder(&p);
	sum_up(&p);
	choose(&p, limits, weight(&p, 0), &v->cut);
	expand(v, &p);
	return v;
}

void flame_view_free(struct flame_view *v)
{
	if (!v)
		return;
	free(v->nodes);
	arena_free(v->names);
	free(v);
}
