/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree behind struct flame, for this floor's own files.
 *
 * A radix tree over stacks as text. A node's label is one or more whole frames with ';' between
 * them, and a node splits only where two stacks part. So a stack costs memory and time for the
 * frames in which it differs from those seen before, not for its depth. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "flame.h"

/* Bytes with a meaning inside labels; from folded input they may come, too, and do no harm. */
#define TRIE_SEMICOLON '\1' /* a ';' that is part of a name */
#define TRIE_TASK "\2"      /* at a frame's end: its kind is FLAME_TASK */
#define TRIE_PYTHON "\3"    /* likewise FLAME_PYTHON */

struct trie_node {
	const char *label;
	uint32_t label_len;
	uint32_t parent;
	double self[FLAME_SIDES]; /* of stacks that end with this label */
};

struct slot {
	uint32_t hash; /* of parent and first frame */
	uint32_t node; /* 0 is free: the root is nobody's child */
};

struct flame {
	struct trie_node *nodes;
	uint32_t count, capacity;
	struct slot *slots;
	uint32_t slot_count; /* a power of two */
	struct arena *labels;
	double total[FLAME_SIDES];
	struct buf scratch;
};

/* Node 0 is the root, with an empty label that stands for no frame. */
const struct trie_node *flame_nodes(const struct flame *f, uint32_t *ret_count);

/* Cuts the mark of its kind off a frame's text. */
enum flame_kind frame_kind(const char *text, size_t *len);
const char *kind_suffix(enum flame_kind kind); /* "_[k]"... or "" */

/* Length of the first frame in text[0..len). */
size_t frame_length(const char *text, size_t len);

uint32_t child_hash(uint32_t parent, const char *frame, size_t len);
bool starts_with_frame(const struct trie_node *n, const char *frame, size_t len);
/* Length of the whole frames that both start with; the first one is known to be the same. */
size_t common_frames(const struct trie_node *n, const char *text, size_t len);

/* flame_add_text() for what is left of a stack that runs through this node. */
void flame_add_below(struct flame *f, enum flame_side side, uint32_t node, const char *text,
		     size_t len, double value);
