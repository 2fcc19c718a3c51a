// SPDX-License-Identifier: BSD-2-Clause
/* In a large tree each step down is three loads from main memory, each depending on the one
 * before. Many stacks go down side by side, each asking for what it reads next and then letting
 * the others go on, so that the loads overlap. The walk only looks: adding starts where it got
 * to, which stays right whatever the others add, since a node that is split remains the end of
 * the same path. */
#include "mem.h"
#include "trie.h"

#define WALKERS 32

struct walker {
	const char *text; /* what is left of the stack */
	size_t len, frame;
	uint32_t hash, child;
	uint32_t node; /* reached so far */
	bool (*step)(const struct flame *f, struct walker *w); /* false: as far as it goes */
};

static bool look_at_label(const struct flame *f, struct walker *w);

static bool choose_child(const struct flame *f, struct walker *w)
{
	w->frame = frame_length(w->text, w->len);
	w->hash = child_hash(w->node, w->text, w->frame);
	__builtin_prefetch(&f->slots[w->hash & (f->slot_count - 1)]);
	return true;
}

static bool look_at_node(const struct flame *f, struct walker *w)
{
	__builtin_prefetch(f->nodes[w->child].label);
	w->step = look_at_label;
	return true;
}

static bool look_at_slot(const struct flame *f, struct walker *w)
{
	uint32_t i = w->hash & (f->slot_count - 1);

	while (f->slots[i].node && f->slots[i].hash != w->hash)
		i = (i + 1) & (f->slot_count - 1);
	w->child = f->slots[i].node;
	if (!w->child)
		return false;
	__builtin_prefetch(&f->nodes[w->child]);
	w->step = look_at_node;
	return true;
}

static bool look_at_label(const struct flame *f, struct walker *w)
{
	const struct trie_node *n = &f->nodes[w->child];

	if (n->parent != w->node || !starts_with_frame(n, w->text, w->frame))
		return false;
	size_t cut = common_frames(n, w->text, w->len);
	if (cut < n->label_len || cut == w->len)
		return false;
	w->node = w->child;
	w->text += cut + 1;
	w->len -= cut + 1;
	w->step = look_at_slot;
	return choose_child(f, w);
}

static void add_batch(struct flame *f, const struct flame_stack *stacks, size_t count)
{
	struct walker walkers[WALKERS], *walking[WALKERS];
	size_t active = count;

	for (size_t i = 0; i < count; i++) {
		walkers[i] = (struct walker){
			.text = stacks[i].text, .len = stacks[i].len, .step = look_at_slot};
		walking[i] = &walkers[i];
		choose_child(f, &walkers[i]);
	}
	while (active) {
		size_t kept = 0;

		for (size_t i = 0; i < active; i++)
			if (walking[i]->step(f, walking[i]))
				walking[kept++] = walking[i];
		active = kept;
	}
	for (size_t i = 0; i < count; i++)
		flame_add_below(f, stacks[i].side, walkers[i].node, walkers[i].text, walkers[i].len,
				stacks[i].value);
}

void flame_add_stacks(struct flame *f, const struct flame_stack *stacks, size_t count)
{
	for (size_t i = 0; i < count; i += WALKERS)
		add_batch(f, stacks + i, count - i < WALKERS ? count - i : WALKERS);
}
