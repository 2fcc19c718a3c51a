// SPDX-License-Identifier: BSD-2-Clause
#include "footer.h"

#include <string.h>

enum { TWO_LINES_FROM = 20 };

static void draw_hint(struct grid *g, unsigned row, unsigned *at, const char *keys, const char *label, bool marked)
{
	if (!label || *at + grid_text_width(keys) + strlen(label) + 2 > g->columns)
		return;
	*at += grid_put(g, row, *at, g->columns - *at, STYLE_KEY, keys);
	if (grid_text_width(keys) > 1) {
		grid_fill(g, row, *at, 1, STYLE_HINT, " ");
		*at += 1;
	}
	*at += grid_put(g, row, *at, g->columns - *at, marked ? STYLE_SORTED : STYLE_HINT, label);
	*at += 1;
}

static bool has_keys(const struct key_help *list, const char *keys)
{
	for (; list && list->keys; list++)
		if (!strcmp(list->keys, keys))
			return true;
	return false;
}

/* But for those that mean something else on this screen. */
static void draw_hints(struct grid *g, unsigned row, unsigned *at, const struct key_help *keys, const struct key_help *but)
{
	for (; keys && keys->keys; keys++)
		if (!has_keys(but, keys->keys))
			draw_hint(g, row, at, keys->keys, keys->label, false);
}

static void draw_screens(const struct screen_context *c, const struct screen *shown, struct grid *g, unsigned row)
{
	unsigned at = 0;

	for (size_t i = 0; c->screens[i]; i++) {
		char key[2] = {(char)c->screens[i]->key, 0};

		draw_hint(g, row, &at, key, c->screens[i]->label, c->screens[i] == shown);
	}
}

/* Keys of the screen, and of all; screens, where there is room for a second line. */
unsigned footer_draw(const struct screen_context *c, const struct screen *shown, const char *said, struct grid *g)
{
	unsigned rows = g->rows >= TWO_LINES_FROM ? 2 : g->rows >= 6, at = 0;

	if (!rows)
		return 0;
	if (rows == 2)
		draw_screens(c, shown, g, g->rows - 2);
	else
		draw_hint(g, g->rows - 1, &at, "?", "Help", false);
	if (said[0]) {
		grid_put(g, g->rows - 1, 0, g->columns, STYLE_STRONG, said);
		return rows;
	}
	draw_hints(g, g->rows - 1, &at, shown->keys, NULL);
	draw_hints(g, g->rows - 1, &at, c->global_keys, shown->keys);
	return rows;
}
