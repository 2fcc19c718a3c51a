// SPDX-License-Identifier: BSD-2-Clause
#include "ui.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "header.h"
#include "mem.h"
#include "screen.h"
#include "store_query.h"
#include "store_write.h"

enum { MOST_FINDINGS = 8, PRUNE_SLICES = 10, HEADER_MOST = 100 };

static const uint64_t window_steps_s[] = {1, 2, 5, 10, 30, 60, 120, 300, 600};

struct ui {
	struct store *store;
	struct ui_options options;
	struct window *window;
	uint64_t window_ns;
	bool paused;
	struct screen_context context;
	void **states; /* by screen; NULL: not opened yet */
	size_t screen, before; /* the one that is shown; the one to go back to */
	char host[256], kernel[256];
	uint32_t slices_since_prune;
};

static const struct key_help global_keys[] = {
	{"?", "Help", "the help and back; F1 and h, too"},
	{"p", "Pause", "look at what is there while recording goes on; the space bar, too"},
	{"+ -", "Window", "look at more or less of the past: 1 s to 10 min"},
	{"q", "Quit", "leave; F10, too"},
	{0},
};

static const struct screen *shown(const struct ui *ui)
{
	return all_screens[ui->screen];
}

static int open_shown(struct ui *ui)
{
	const struct screen *screen = shown(ui);

	if (ui->states[ui->screen])
		return 0;
	ui->states[ui->screen] = xcalloc(1, screen->state_size ? screen->state_size : 1);
	return screen->open ? screen->open(&ui->context, ui->states[ui->screen]) : 0;
}

static void update_shown(struct ui *ui)
{
	if (shown(ui)->update)
		shown(ui)->update(&ui->context, ui->states[ui->screen]);
}

int ui_new(struct store *s, const struct ui_options *o, struct ui **ret_ui)
{
	_cleanup_(ui_freep) struct ui *ui = xcalloc(1, sizeof(*ui));
	size_t count = 0;
	int r;

	while (all_screens[count])
		count++;
	ui->store = s;
	ui->options = *o;
	ui->window_ns = o->window_ns;
	ui->states = xcalloc(count, sizeof(*ui->states));
	r = window_new(s, o->user, o->arg, &ui->window);
	if (r < 0)
		return r;
	ui->context = (struct screen_context){.store = s, .window = ui->window, .screens = all_screens,
					      .global_keys = global_keys};
	r = open_shown(ui);
	if (r < 0)
		return r;
	*ret_ui = ui;
	ui = NULL;
	return 0;
}

void ui_free(struct ui *ui)
{
	if (!ui)
		return;
	for (size_t i = 0; all_screens[i]; i++) {
		if (ui->states[i] && all_screens[i]->close)
			all_screens[i]->close(ui->states[i]);
		free(ui->states[i]);
	}
	free(ui->states);
	window_free(ui->window);
	free(ui);
}

static bool is_too_large(struct ui *ui)
{
	int64_t bytes;

	return ui->options.keep_bytes &&
	       query_one_int(ui->store, "SELECT (page_count - freelist_count) * page_size "
			     "FROM pragma_page_count, pragma_freelist_count, pragma_page_size", 0, &bytes) == 0 &&
	       (uint64_t)bytes > ui->options.keep_bytes;
}

/* During a pause, too: memory is bounded, and what is shown stays. */
static void prune(struct ui *ui)
{
	uint32_t first;

	if (!ui->options.keep_ns || ++ui->slices_since_prune < PRUNE_SLICES)
		return;
	ui->slices_since_prune = 0;
	first = window_slice_before(ui->window, ui->options.keep_ns);
	if (is_too_large(ui))
		first += (window_newest(ui->window) - first) / 10;
	store_prune(ui->store, first);
	window_forget(ui->window, first);
}

static int show(struct ui *ui)
{
	int r = window_show_ns(ui->window, ui->paused ? window_last(ui->window) : 0, ui->window_ns);

	if (r >= 0)
		update_shown(ui);
	return r;
}

int ui_update(struct ui *ui, bool *ret_changed)
{
	int r = window_follow(ui->window);

	*ret_changed = !ui->paused;
	if (r < 0)
		return r;
	prune(ui);
	if (ui->paused)
		return 0;
	if (!ui->host[0]) {
		store_meta_text(ui->store, "host", ui->host, sizeof(ui->host));
		store_meta_text(ui->store, "kernel", ui->kernel, sizeof(ui->kernel));
	}
	return show(ui);
}

static unsigned draw_header(struct ui *ui, struct grid *g, unsigned rows)
{
	struct ui_finding findings[MOST_FINDINGS];
	struct header h = {.window = ui->window, .host = ui->host, .kernel = ui->kernel, .paused = ui->paused,
			   .start_wall_ns = (uint64_t)store_meta_int(ui->store, "start_wall_ns"),
			   .findings = findings};

	if (ui->options.findings)
		h.finding_count = ui->options.findings(ui->options.arg, findings, MOST_FINDINGS);
	return header_draw(&h, g, rows);
}

static void draw_hints(struct grid *g, unsigned *at, const struct key_help *keys)
{
	unsigned row = g->rows - 1;

	for (; keys->keys; keys++) {
		if (!keys->label || *at + grid_text_width(keys->keys) + strlen(keys->label) + 2 > g->columns)
			continue;
		*at += grid_put(g, row, *at, g->columns - *at, STYLE_KEY, keys->keys);
		grid_fill(g, row, *at, 1, STYLE_HINT, " ");
		*at += 1;
		*at += grid_put(g, row, *at, g->columns - *at, STYLE_HINT, keys->label);
		*at += 1;
	}
}

static void draw_footer(struct ui *ui, struct grid *g)
{
	unsigned at = 0;

	/* What is needed most stands first: the rest may not fit. */
	draw_hints(g, &at, (const struct key_help[]){global_keys[0], {0}});
	if (shown(ui)->keys)
		draw_hints(g, &at, shown(ui)->keys);
	draw_hints(g, &at, global_keys + 1);
}

static void draw_shown(struct ui *ui, struct grid *g, const struct area *a)
{
	shown(ui)->draw(&ui->context, ui->states[ui->screen], g, a);
}

void ui_draw(struct ui *ui, struct grid *g)
{
	/* A screen's use is its rows: the header gets a third at most. */
	bool footer = g->rows >= 6;
	struct area a = {.columns = g->columns};

	grid_clear(g);
	if (!g->rows || !g->columns)
		return;
	a.row = g->rows >= 3 ? draw_header(ui, g, g->rows / 3) : 0;
	a.rows = g->rows - a.row - footer;
	draw_shown(ui, g, &a);
	if (footer)
		draw_footer(ui, g);
}

void ui_draw_all(struct ui *ui, struct grid *g, unsigned columns)
{
	struct area a = {.columns = columns};
	const struct screen *screen = shown(ui);

	grid_resize(g, HEADER_MOST, columns);
	a.row = draw_header(ui, g, HEADER_MOST);
	a.rows = screen->height ? screen->height(&ui->context, ui->states[ui->screen]) : HEADER_MOST;
	grid_resize(g, a.row + a.rows, columns);
	draw_header(ui, g, a.row);
	draw_shown(ui, g, &a);
}

static enum ui_answer change_window(struct ui *ui, int step)
{
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(window_steps_s) && window_steps_s[i] * NS_PER_S < ui->window_ns)
		i++;
	if (step > 0 && i + 1 < ARRAY_SIZE(window_steps_s) && window_steps_s[i] * NS_PER_S <= ui->window_ns)
		i++;
	if (step < 0 && i > 0 && window_steps_s[i] * NS_PER_S >= ui->window_ns)
		i--;
	ui->window_ns = window_steps_s[i] * NS_PER_S;
	return show(ui) < 0 ? UI_NOTHING : UI_REDRAW;
}

static enum ui_answer toggle_pause(struct ui *ui)
{
	ui->paused = !ui->paused;
	return ui->paused || show(ui) >= 0 ? UI_REDRAW : UI_NOTHING;
}

static enum ui_answer go_to(struct ui *ui, size_t screen)
{
	/* The same key leads back. */
	if (screen == ui->screen)
		screen = ui->before;
	ui->before = ui->screen;
	ui->screen = screen;
	if (open_shown(ui) < 0)
		ui->screen = ui->before;
	update_shown(ui);
	return UI_REDRAW;
}

static enum ui_answer global_key(struct ui *ui, int code)
{
	switch (code) {
	case 'q':
	case UI_KEY_F10: return UI_QUIT;
	case 'p':
	case ' ': return toggle_pause(ui);
	case '+':
	case '=': return change_window(ui, 1);
	case '-': return change_window(ui, -1);
	case UI_KEY_F1:
	case 'h': code = '?'; break;
	case UI_KEY_ESCAPE: return ui->screen ? go_to(ui, ui->before) : UI_NOTHING;
	}
	for (size_t i = 0; all_screens[i]; i++)
		if (all_screens[i]->key == code)
			return go_to(ui, i);
	return UI_NOTHING;
}

enum ui_answer ui_key(struct ui *ui, const struct key_event *e)
{
	const struct screen *screen = shown(ui);

	if (screen->key_press && screen->key_press(&ui->context, ui->states[ui->screen], e))
		return UI_REDRAW;
	return global_key(ui, e->code);
}

const struct window *ui_window(const struct ui *ui)
{
	return ui->window;
}
