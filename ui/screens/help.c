// SPDX-License-Identifier: BSD-2-Clause
/* What the keys do, and what columns and colours mean: made from the tables that make them so. */
#include <string.h>

#include "mem.h"
#include "state.h"
#include "table_screen.h"

enum { NAME_CELLS = 11 };

struct help {
	unsigned top, lines, page;
	bool at_end; /* stays there when the page gets shorter */
};

struct page {
	struct grid *g;
	const struct area *area;
	unsigned top, line; /* the first line that is shown, the one that is written */
};

static void put(struct page *p, unsigned column, enum style style, const char *text)
{
	if (p->line >= p->top && p->line - p->top < p->area->rows && column < p->area->columns)
		grid_put(p->g, p->area->row + p->line - p->top, p->area->column + column,
			 p->area->columns - column, style, text);
}

static void title(struct page *p, const char *text)
{
	p->line += p->line > 0;
	put(p, 0, STYLE_STRONG, text);
	p->line++;
}

/* As much of the text as fits into a line, up to a blank; how many bytes that is. */
static size_t line_length(const char *text, unsigned width)
{
	size_t len = strlen(text), end = width;

	if (len <= width)
		return len;
	while (end && text[end] != ' ')
		end--;
	return end ? end : width;
}

/* A name and what it means, folded beside it. The texts are ours: one byte is one cell. */
static void entry(struct page *p, enum style style, const char *name, const char *text)
{
	unsigned width = grid_text_width(name), column = width < NAME_CELLS ? NAME_CELLS + 3 : width + 3;
	unsigned room = p->area->columns > column + 10 ? p->area->columns - column : 10;

	put(p, 2, style, name);
	do {
		size_t len = line_length(text, room);
		_cleanup_free_ char *line = xstrndup(text, len);

		put(p, column, STYLE_NORMAL, line);
		p->line++;
		text += len + (text[len] == ' ');
	} while (*text);
}

static const struct key_help table_keys[] = {TABLE_KEYS, {0}};

static bool is_of_every_table(const struct key_help *key)
{
	for (const struct key_help *k = table_keys; k->keys; k++)
		if (key != k && !strcmp(k->keys, key->keys) && !strcmp(k->text, key->text))
			return true;
	return false;
}

static void add_keys(struct page *p, const char *name, const struct key_help *keys)
{
	title(p, name);
	for (; keys->keys; keys++)
		if (!is_of_every_table(keys))
			entry(p, STYLE_KEY, keys->keys, keys->text);
}

static bool has_own_keys(const struct key_help *keys)
{
	while (keys && keys->keys && is_of_every_table(keys))
		keys++;
	return keys && keys->keys;
}

static void add_screens(struct page *p, const struct screen_context *c)
{
	title(p, "Screens");
	for (const struct screen *const *s = c->screens; *s; s++) {
		char key[2] = {(char)(*s)->key, 0};

		entry(p, STYLE_KEY, key, (*s)->help);
	}
	add_keys(p, "Keys on every screen", c->global_keys);
	add_keys(p, "Keys of every table", table_keys);
	for (const struct screen *const *s = c->screens; *s; s++)
		if (has_own_keys((*s)->keys))
			add_keys(p, (*s)->name, (*s)->keys);
}

static void add_states(struct page *p)
{
	title(p, "State time");
	for (int i = 0; i < STATES; i++) {
		put(p, 4, STYLE_NORMAL, state_kinds[i].name);
		entry(p, state_kinds[i].style, state_kinds[i].glyph, state_kinds[i].help);
	}
	title(p, "CPUs");
	entry(p, STYLE_USER, "█", "user code");
	entry(p, STYLE_SYSTEM, "▓", "kernel");
	entry(p, STYLE_IRQ, "▒", "interrupts");
	entry(p, STYLE_STEAL, "░", "taken by the hypervisor");
}

static void add_columns(struct page *p, const struct screen *s)
{
	for (const struct table_view *v = s->table ? s->table->views : NULL; v && v->name; v++) {
		if (v > s->table->views && v->columns == v[-1].columns)
			continue;
		_cleanup_free_ char *name = xasprintf("Columns of %s", v->name);

		title(p, name);
		for (const struct column *c = v->columns; c->title; c++)
			if (*c->title)
				entry(p, STYLE_NORMAL, c->title, c->help);
	}
}

static void draw(const struct screen_context *c, void *state, struct grid *g, const struct area *a)
{
	struct help *help = state;
	struct page p = {.g = g, .area = a};

	if (help->lines && (help->at_end || help->top + a->rows > help->lines))
		help->top = help->lines > a->rows ? help->lines - a->rows : 0;
	p.top = help->top;
	add_screens(&p, c);
	add_states(&p);
	for (const struct screen *const *s = c->screens; *s; s++)
		add_columns(&p, *s);
	help->lines = p.line;
	help->page = a->rows;
}

static bool key_press(const struct screen_context *c, void *state, const struct key_event *e)
{
	static const struct {
		int code, lines, pages;
	} moves[] = {
		{UI_KEY_UP, -1, 0}, {UI_KEY_DOWN, 1, 0}, {UI_KEY_PAGE_UP, 0, -1}, {UI_KEY_PAGE_DOWN, 0, 1},
		{UI_KEY_WHEEL_UP, -3, 0}, {UI_KEY_WHEEL_DOWN, 3, 0}, {UI_KEY_HOME, -(1 << 20), 0},
		{UI_KEY_END, 1 << 20, 0},
	};
	struct help *help = state;

	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		if (moves[i].code != e->code)
			continue;
		int top = (int)help->top + moves[i].lines + moves[i].pages * (int)help->page;
		int last = help->lines > help->page ? (int)(help->lines - help->page) : 0;

		help->top = (unsigned)(top < 0 ? 0 : top > last ? last : top);
		help->at_end = last && top >= last;
		return true;
	}
	return false;
}

const struct screen screen_help = {
	.name = "help",
	.key = '?',
	.help = "this page",
	.label = "Help",
	.state_size = sizeof(struct help),
	.draw = draw,
	.key_press = key_press,
};
