/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a struct flame is worth showing: every frame a node, too small ones merged into their
 * caller, children in the order of their names. For pictures, screens and tests. */
#pragma once
#include <stdbool.h>

#include "flame.h"

struct flame_node {
	const char *name; /* owned by the view or the flame; any bytes, NUL too; not terminated */
	uint32_t name_len;
	enum flame_kind kind;
	uint32_t depth;  /* 0: the root, named "all" */
	uint32_t parent; /* index; the root's is 0 */
	uint32_t end;    /* behind the last descendant's index */
	double value;    /* with callees, shown here or merged */
	double self;     /* without any callee */
	double base;     /* FLAME_BASE, scaled to the same total as FLAME_NEW */
};

struct flame_limits {
	double min_share;    /* of the total; what is smaller on both sides is merged */
	uint32_t max_frames; /* the largest are kept; 0: no limit */
	uint32_t max_depth;  /* 0: no limit */
};

struct flame_view {
	/* In preorder. Children of i: c = i + 1; c < nodes[i].end; c = nodes[c].end. */
	struct flame_node *nodes;
	uint32_t count;
	uint32_t depth;     /* of the deepest node */
	double total;       /* FLAME_NEW */
	double base_total;  /* FLAME_BASE, not scaled; 0 without comparison */
	bool cut;           /* max_frames or max_depth hid something that min_share would not */
	struct arena *names;
};

/* The flame must outlive the view and not change meanwhile. */
struct flame_view *flame_view_new(const struct flame *f, const struct flame_limits *limits);
void flame_view_free(struct flame_view *v); /* NULL is fine */

DEFINE_CLEANUP(struct flame_view *, flame_view_free)
