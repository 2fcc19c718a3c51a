// SPDX-License-Identifier: BSD-2-Clause
#include "flame.h"

#include <stdbool.h>
#include <string.h>

#include "arena.h"
#include "hash.h"
#include "mem.h"
#include "trie.h"

struct flame *flame_new(void)
{
	struct flame *f = xcalloc(1, sizeof(*f));

	f->labels = arena_new();
	f->slot_count = 1024;
	f->slots = xcalloc(f->slot_count, sizeof(*f->slots));
	f->scratch = (struct buf)BUF_INIT;
	GROW(f->nodes, f->count, f->capacity);
	f->nodes[f->count++] = (struct trie_node){.label = ""};
	return f;
}

void flame_free(struct flame *f)
{
	if (!f)
		return;
	free(f->nodes);
	free(f->slots);
	arena_free(f->labels);
	buf_done(&f->scratch);
	free(f);
}

double flame_total(const struct flame *f, enum flame_side side)
{
	return f->total[side];
}

size_t flame_bytes(const struct flame *f)
{
	return sizeof(*f) + f->capacity * sizeof(*f->nodes) + f->slot_count * sizeof(*f->slots) +
	       arena_bytes(f->labels) + f->scratch.cap;
}

const struct trie_node *flame_nodes(const struct flame *f, uint32_t *ret_count)
{
	*ret_count = f->count;
	return f->nodes;
}

size_t frame_length(const char *text, size_t len)
{
	const char *end = memchr(text, ';', len);

	return end ? (size_t)(end - text) : len;
}

uint32_t child_hash(uint32_t parent, const char *frame, size_t len)
{
	return (uint32_t)((hash_bytes(frame, len) ^ parent) * 0x9e3779b97f4a7c15ull >> 32);
}

bool starts_with_frame(const struct trie_node *n, const char *frame, size_t len)
{
	return n->label_len >= len && !memcmp(n->label, frame, len) &&
	       (n->label_len == len || n->label[len] == ';');
}

/* The slot of the parent's child that starts with this frame, or the free one where it belongs. */
static struct slot *find_slot(const struct flame *f, uint32_t hash, uint32_t parent,
			      const char *frame, size_t len)
{
	uint32_t i = hash & (f->slot_count - 1);

	for (; f->slots[i].node; i = (i + 1) & (f->slot_count - 1)) {
		const struct trie_node *n = &f->nodes[f->slots[i].node];

		if (f->slots[i].hash == hash && n->parent == parent &&
		    starts_with_frame(n, frame, len))
			break;
	}
	return &f->slots[i];
}

static void enlarge(struct flame *f)
{
	uint32_t old_count = f->slot_count, mask = old_count * 2 - 1;
	struct slot *old = f->slots;

	f->slot_count *= 2;
	f->slots = xcalloc(f->slot_count, sizeof(*f->slots));
	for (uint32_t s = 0; s < old_count; s++) {
		uint32_t i = old[s].hash & mask;

		if (!old[s].node)
			continue;
		while (f->slots[i].node)
			i = (i + 1) & mask;
		f->slots[i] = old[s];
	}
	free(old);
}

static uint32_t new_node(struct flame *f, uint32_t parent, const char *label, size_t len)
{
	GROW(f->nodes, f->count, f->capacity);
	f->nodes[f->count] = (struct trie_node){
		.label = label, .label_len = (uint32_t)len, .parent = parent};
	return f->count++;
}

/* Slots must be there before they are looked for, so that one just found stays where it is. */
static void reserve_slots(struct flame *f)
{
	if (((uint64_t)f->count + 2) * 3 > (uint64_t)f->slot_count * 2)
		enlarge(f);
}

/* The node's label ends at `cut` from now on; a new child of that gets the rest and all that
 * hangs below. Done by putting a new node above the old one, whose children then stay its own. */
static uint32_t split(struct flame *f, struct slot *slot, size_t cut)
{
	uint32_t lower = slot->node;
	uint32_t upper = new_node(f, f->nodes[lower].parent, f->nodes[lower].label, cut);
	struct trie_node *n = &f->nodes[lower];

	slot->node = upper;
	n->label += cut + 1;
	n->label_len -= (uint32_t)cut + 1;
	n->parent = upper;

	size_t len = frame_length(n->label, n->label_len);
	uint32_t hash = child_hash(upper, n->label, len);
	*find_slot(f, hash, upper, n->label, len) = (struct slot){hash, lower};
	return upper;
}

static size_t common_bytes(const char *a, const char *b, size_t len)
{
	uint64_t x, y;
	size_t i = 0;

	for (; i + 8 <= len; i += 8) {
		memcpy(&x, a + i, 8);
		memcpy(&y, b + i, 8);
		if (x != y)
			break;
	}
	while (i < len && a[i] == b[i])
		i++;
	return i;
}

static bool frame_ends(const char *text, size_t len, size_t at)
{
	return at == len || text[at] == ';';
}

size_t common_frames(const struct trie_node *n, const char *text, size_t len)
{
	size_t common = common_bytes(n->label, text, len < n->label_len ? len : n->label_len);

	if (frame_ends(n->label, n->label_len, common) && frame_ends(text, len, common))
		return common;
	return (size_t)((const char *)memrchr(text, ';', common) - text);
}

/* The node for the whole of `text` below this one. */
static uint32_t insert(struct flame *f, uint32_t node, const char *text, size_t len)
{
	for (;;) {
		reserve_slots(f);
		size_t frame = frame_length(text, len);
		uint32_t hash = child_hash(node, text, frame);
		struct slot *slot = find_slot(f, hash, node, text, frame);

		if (!slot->node) {
			uint32_t leaf = new_node(f, node, arena_strndup(f->labels, text, len), len);

			*slot = (struct slot){hash, leaf};
			return leaf;
		}
		node = slot->node;
		size_t cut = common_frames(&f->nodes[node], text, len);
		if (cut < f->nodes[node].label_len)
			node = split(f, slot, cut);
		if (cut == len)
			return node;
		text += cut + 1;
		len -= cut + 1;
	}
}

void flame_add_below(struct flame *f, enum flame_side side, uint32_t start, const char *text,
		     size_t len, double value)
{
	uint32_t node = insert(f, start, text, len);

	f->nodes[node].self[side] += value;
	f->total[side] += value;
}

void flame_add_text(struct flame *f, enum flame_side side, const char *stack, size_t len,
		    double value)
{
	flame_add_below(f, side, 0, stack, len, value);
}

/* As folded files write it, into the scratch buffer. */
static void write_frames(struct flame *f, const struct flame_frame *root_to_leaf, size_t depth)
{
	struct buf *b = &f->scratch;

	buf_reset(b);
	for (size_t i = 0; i < depth; i++) {
		if (i)
			buf_addch(b, ';');
		size_t start = b->len;
		buf_addstr(b, root_to_leaf[i].name);
		for (char *p = b->data + start; (p = strchr(p, ';')); p++)
			*p = TRIE_SEMICOLON;
		buf_addstr(b, kind_suffix(root_to_leaf[i].kind));
	}
}

/* A node that splits stays the end of what it stood for. */
uint32_t flame_node(struct flame *f, uint32_t parent, const struct flame_frame *frames, size_t count)
{
	if (!count)
		return parent;
	write_frames(f, frames, count);
	return insert(f, parent, f->scratch.data, f->scratch.len);
}

void flame_add_to(struct flame *f, enum flame_side side, uint32_t node, double value)
{
	f->nodes[node].self[side] += value;
	f->total[side] += value;
}

void flame_add(struct flame *f, enum flame_side side, const struct flame_frame *root_to_leaf,
	       size_t depth, double value)
{
	flame_add_to(f, side, flame_node(f, 0, root_to_leaf, depth), value);
}
