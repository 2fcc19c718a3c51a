// SPDX-License-Identifier: BSD-2-Clause
/* A flame graph: the root on top, what it calls below it, each as wide as its share. */
#include <stdlib.h>
#include <string.h>

#include "amount.h"
#include "mem.h"
#include "profile.h"
#include "view.h"

enum { DEEPEST = 256, MOST_FRAMES = 20000 };
#define SMALLEST 0.0005

struct flame_state {
	enum profile profile;
	bool idle;
	struct flame *flame;
	struct flame_view *view;
	/* The selected node by the names that lead to it, so that it is found again in the next picture; the picture is the
	 * first `zoom` of them and what is below. */
	char *path[DEEPEST];
	uint32_t depth, zoom;
	uint32_t node, root; /* in the view */
	uint32_t top;        /* the first row that is shown */
	struct area drawn;
	bool typing;
	char search[64];
};

static void forget_path(struct flame_state *s, uint32_t depth)
{
	while (s->depth > depth)
		free(s->path[--s->depth]);
	if (s->zoom > s->depth)
		s->zoom = s->depth;
}

static bool is_named(const struct flame_node *n, const char *name)
{
	return strlen(name) == n->name_len && !memcmp(name, n->name, n->name_len);
}

static uint32_t child_named(const struct flame_view *v, uint32_t parent, const char *name)
{
	for (uint32_t i = parent + 1; i < v->nodes[parent].end; i = v->nodes[i].end)
		if (is_named(&v->nodes[i], name))
			return i;
	return 0;
}

static void find_path(struct flame_state *s)
{
	s->node = s->root = 0;
	for (uint32_t i = 0; s->view && i < s->depth; i++) {
		uint32_t child = child_named(s->view, s->node, s->path[i]);

		if (!child)
			return;
		s->node = child;
		if (i < s->zoom)
			s->root = child;
	}
}

static void select_node(struct flame_state *s, uint32_t node)
{
	const struct flame_view *v = s->view;
	uint32_t depth = v->nodes[node].depth;
	char *path[DEEPEST];

	if (depth > DEEPEST)
		return;
	for (uint32_t i = depth, at = node; i-- > 0; at = v->nodes[at].parent)
		path[i] = xstrndup(v->nodes[at].name, v->nodes[at].name_len);
	for (uint32_t i = 0; i < s->depth; i++)
		free(s->path[i]);
	memcpy(s->path, path, depth * sizeof(*path));
	s->depth = depth;
	if (s->zoom > depth)
		s->zoom = depth;
	find_path(s);
}

static void update(const struct screen_context *c, void *state)
{
	struct flame_state *s = state;

	flame_view_free(s->view);
	flame_free(s->flame);
	s->view = NULL;
	s->flame = s->profile == PROFILE_WAKEUP ? profile_wakeups(c, s->idle) : profile_flame(c, s->profile, s->idle);
	if (flame_total(s->flame, FLAME_NEW) > 0)
		s->view = flame_view_new(s->flame, &(struct flame_limits){.min_share = SMALLEST, .max_frames = MOST_FRAMES});
	find_path(s);
}

static void close_screen(void *state)
{
	struct flame_state *s = state;

	forget_path(s, 0);
	flame_view_free(s->view);
	flame_free(s->flame);
}

static bool is_match(const struct flame_state *s, const struct flame_node *n)
{
	_cleanup_free_ char *name = s->search[0] ? xstrndup(n->name, n->name_len) : NULL;

	return name && strcasestr(name, s->search);
}

/* What matches, callees included, without counting a match below a match twice. */
static double matched(const struct flame_state *s)
{
	const struct flame_view *v = s->view;
	double sum = 0;

	for (uint32_t i = s->root; i < v->nodes[s->root].end;) {
		if (is_match(s, &v->nodes[i])) {
			sum += v->nodes[i].value;
			i = v->nodes[i].end;
		} else {
			i++;
		}
	}
	return sum;
}

/* Neighbours differ in shade, so that their border is seen. */
static enum style style_of(const struct flame_state *s, uint32_t node)
{
	static const enum style styles[FLAME_KINDS] = {
		[FLAME_USER] = STYLE_FLAME_USER, [FLAME_KERNEL] = STYLE_FLAME_KERNEL, [FLAME_JIT] = STYLE_FLAME_DYNAMIC,
		[FLAME_PYTHON] = STYLE_FLAME_DYNAMIC, [FLAME_INLINED] = STYLE_FLAME_USER, [FLAME_TASK] = STYLE_FLAME_TASK,
		[FLAME_UNKNOWN] = STYLE_FLAME_UNKNOWN,
	};
	const struct flame_node *n = &s->view->nodes[node];
	unsigned shade = 0;

	if (node == s->node)
		return STYLE_SELECTED;
	if (is_match(s, n))
		return STYLE_FLAME_MATCH;
	for (uint32_t i = 0; i < n->name_len; i++)
		shade += (unsigned char)n->name[i];
	return styles[n->kind] + (shade & 1);
}

struct pen {
	struct flame_state *state;
	struct grid *grid;
	const struct area *area;
	double cells; /* of a value */
};

static void draw_node(const struct pen *p, uint32_t node, double left)
{
	struct flame_state *s = p->state;
	const struct flame_view *v = s->view;
	const struct flame_node *n = &v->nodes[node];
	uint32_t line = n->depth - v->nodes[s->root].depth;
	unsigned from = (unsigned)(left + 0.5), to = (unsigned)(left + n->value * p->cells + 0.5);

	if (to > p->area->columns)
		to = p->area->columns;
	if (from >= to || line >= s->top + p->area->rows)
		return;
	if (line >= s->top) {
		_cleanup_free_ char *name = xstrndup(n->name, n->name_len);
		unsigned row = p->area->row + line - s->top, column = p->area->column + from, width = to - from;
		enum style style = style_of(s, node);

		grid_fill(p->grid, row, column, width, style, " ");
		if (width > 2)
			grid_put(p->grid, row, column, width - 1, style, name);
		/* Where there are no colours, the border is all that tells neighbours apart. */
		grid_put(p->grid, row, column + width - 1, 1, style, "│");
	}
	for (uint32_t i = node + 1; i < n->end; i = v->nodes[i].end) {
		draw_node(p, i, left);
		left += v->nodes[i].value * p->cells;
	}
}

static void draw_status(const struct flame_state *s, struct grid *g, unsigned row, const struct area *a)
{
	const struct flame_node *n = &s->view->nodes[s->node];
	_cleanup_(buf_done) struct buf amount = BUF_INIT;
	unsigned at;

	amount_add(&amount, n->value, s->profile == PROFILE_FAULT ? "faults" : s->profile == PROFILE_MEMORY ? "bytes" : "ns");
	at = grid_putf(g, row, a->column, a->columns, STYLE_STRONG, "%.*s  %.1f%%  %s", (int)n->name_len, n->name,
		       100 * n->value / s->view->total, amount.data);
	if (at + 2 < a->columns && n->self > 0)
		at += grid_putf(g, row, a->column + at, a->columns - at, STYLE_NORMAL, "  itself %.1f%%", 100 * n->self / s->view->total);
	if (s->search[0] && at + 2 < a->columns)
		grid_putf(g, row, a->column + at, a->columns - at, STYLE_MATCH, "  found %.1f%%",
			  100 * matched(s) / s->view->nodes[s->root].value);
}

static void draw_title(const struct flame_state *s, struct grid *g, const struct area *a)
{
	unsigned at = 0;

	if (s->typing) {
		at = grid_put(g, a->row, a->column, a->columns, STYLE_KEY, "Search: ");
		grid_put(g, a->row, a->column + at, a->columns > at ? a->columns - at : 0, STYLE_STRONG, s->search);
		return;
	}
	for (enum profile i = 0; i < PROFILES && at < a->columns; i++)
		at += 1 + grid_putf(g, a->row, a->column + at, a->columns - at, i == s->profile ? STYLE_SORTED : STYLE_DIM, " %s ",
				    profile_names[i]);
}

static void scroll(struct flame_state *s, unsigned rows)
{
	uint32_t line = s->view->nodes[s->node].depth - s->view->nodes[s->root].depth;

	if (s->view->nodes[s->node].depth < s->view->nodes[s->root].depth)
		line = 0;
	if (line < s->top)
		s->top = line;
	if (rows && line >= s->top + rows)
		s->top = line - rows + 1;
}

static void draw(const struct screen_context *c, void *state, struct grid *g, const struct area *a)
{
	struct flame_state *s = state;
	struct area picture = {a->row + 1, a->column, a->rows > 2 ? a->rows - 2 : 0, a->columns};

	if (!a->rows)
		return;
	draw_title(s, g, a);
	s->drawn = picture;
	if (!s->view) {
		if (a->rows > 1)
			grid_putf(g, a->row + 1, a->column, a->columns, STYLE_DIM, "Nothing was sampled of: %s.", profile_title(s->profile));
		return;
	}
	scroll(s, picture.rows);
	struct pen pen = {s, g, &picture, picture.columns / s->view->nodes[s->root].value};
	draw_node(&pen, s->root, 0);
	if (a->rows > 2)
		draw_status(s, g, a->row + a->rows - 1, a);
}

static uint32_t heaviest_child(const struct flame_view *v, uint32_t node)
{
	uint32_t best = 0;

	for (uint32_t i = node + 1; i < v->nodes[node].end; i = v->nodes[i].end)
		if (!best || v->nodes[i].value > v->nodes[best].value)
			best = i;
	return best;
}

/* The next at the same depth to the left or to the right. */
static uint32_t neighbour(const struct flame_state *s, int step)
{
	const struct flame_view *v = s->view;
	uint32_t depth = v->nodes[s->node].depth, before = 0;

	for (uint32_t i = s->root; i < v->nodes[s->root].end; i++) {
		if (v->nodes[i].depth != depth)
			continue;
		if (i == s->node && step < 0)
			return before;
		if (i > s->node && step > 0)
			return i;
		before = i;
	}
	return 0;
}

/* Where it is in the picture. */
static uint32_t node_at(const struct flame_state *s, unsigned row, unsigned column)
{
	const struct flame_view *v = s->view;
	double at = (column - s->drawn.column + 0.5) * v->nodes[s->root].value / s->drawn.columns, left = 0;
	uint32_t node = s->root, line = row - s->drawn.row + s->top;

	while (line-- > 0) {
		uint32_t child = node + 1;

		for (; child < v->nodes[node].end; child = v->nodes[child].end) {
			if (at < left + v->nodes[child].value)
				break;
			left += v->nodes[child].value;
		}
		if (child >= v->nodes[node].end)
			return node;
		node = child;
	}
	return node;
}

static bool go(struct flame_state *s, uint32_t node)
{
	if (node)
		select_node(s, node);
	return true;
}

static bool navigate(struct flame_state *s, const struct key_event *e)
{
	const struct flame_view *v = s->view;

	switch (e->code) {
	case UI_KEY_DOWN:
	case 'j': return go(s, heaviest_child(v, s->node));
	case UI_KEY_UP:
	case 'k':
		if (s->node != s->root)
			select_node(s, v->nodes[s->node].parent);
		return true;
	case UI_KEY_LEFT: return go(s, neighbour(s, -1));
	case UI_KEY_RIGHT: return go(s, neighbour(s, 1));
	case UI_KEY_HOME:
		select_node(s, s->root);
		return true;
	case UI_KEY_ENTER:
		s->zoom = s->depth;
		s->top = 0;
		find_path(s);
		return true;
	case UI_KEY_BACKSPACE:
		if (!s->zoom)
			return false;
		s->zoom = 0;
		find_path(s);
		return true;
	case UI_KEY_CLICK:
		if (e->row >= s->drawn.row && e->row < s->drawn.row + s->drawn.rows) {
			uint32_t node = node_at(s, e->row, e->column);

			/* A second click goes in. */
			if (node == s->node)
				s->zoom = s->depth;
			select_node(s, node);
		}
		return true;
	}
	return false;
}

static bool type(struct flame_state *s, int code)
{
	size_t len = strlen(s->search);

	if (code == UI_KEY_ENTER || code == UI_KEY_ESCAPE) {
		s->typing = false;
		if (code == UI_KEY_ESCAPE)
			s->search[0] = 0;
	} else if (code == UI_KEY_BACKSPACE && len) {
		s->search[len - 1] = 0;
	} else if (code >= ' ' && code <= '~' && len + 1 < sizeof(s->search)) {
		s->search[len] = (char)code;
		s->search[len + 1] = 0;
	}
	return true;
}

static bool key_press(const struct screen_context *c, void *state, const struct key_event *e)
{
	struct flame_state *s = state;

	if (s->typing && e->code != UI_KEY_CLICK)
		return type(s, e->code);
	switch (e->code) {
	case '/':
	case UI_KEY_F3:
		s->typing = true;
		s->search[0] = 0;
		return true;
	case '\t':
		s->profile = (s->profile + 1) % PROFILES;
		forget_path(s, 0);
		update(c, s);
		return true;
	case 'i':
		s->idle = !s->idle;
		update(c, s);
		return true;
	}
	return s->view && navigate(s, e);
}

static const struct key_help keys[] = {
	{"Tab", "Kind", "CPU, off CPU, locks, disk, network, ..."},
	{"Enter", "Zoom", "into the selected; Backspace leads out again"},
	{"/", "Search", "marks what is found, and tells its share"},
	{"arrows", NULL, "to the caller, to the heaviest callee, to neighbours; a click selects, a second one zooms"},
	{"i", NULL, "waits for work, too"},
	{0},
};

const struct screen screen_flame = {
	.name = "flame graph",
	.label = "Flame",
	.key = 'f',
	.help = "flame graph of any kind: as wide as its share, callers above",
	.keys = keys,
	.state_size = sizeof(struct flame_state),
	.update = update,
	.draw = draw,
	.key_press = key_press,
	.close = close_screen,
};
