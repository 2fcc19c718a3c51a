// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>

#include "footer.h"
#include "header.h"
#include "mem.h"
#include "recorded.h"
#include "store_query.h"
#include "store_write.h"
#include "ui_internal.h"

enum { PRUNE_SLICES = 10, HEADER_MOST = 100 };

static const struct key_help global_keys[] = {
	{"q", "Quit", "leave; F10, too"},
	{"Enter", "Explain", "the selected row, on the screen that tells more of it"},
	{"Backspace", NULL, "back to where you came from; Escape, too"},
	{"o", "Only", "look at the selected row only, on all screens; again: at all"},
	{"p", "Pause", "look at what is there while recording goes on; the space bar, too"},
	{"+ -", "Window", "look at more or less of the past: 1 s to 10 min"},
	{"[ ]", "Step", "back and forth in time, a slice; { and } go as far as the window is long"},
	{"mouse", NULL, "a click on a course shows that moment; while paused, on the time line, too: drag there to choose a part"},
	{"w", NULL, "write the recording of the last minutes into a file"},
	{"s", NULL, "write the flame graph of what is shown into a file"},
	{"F7 F8 F9", NULL, "renice and kill in htop; perfscope only watches"},
	{0},
};

const struct screen *ui_shown(const struct ui *ui)
{
	return all_screens[ui->screen];
}

int ui_open_shown(struct ui *ui)
{
	const struct screen *screen = ui_shown(ui);

	if (ui->states[ui->screen])
		return 0;
	ui->states[ui->screen] = xcalloc(1, screen->state_size ? screen->state_size : 1);
	return screen->open ? screen->open(&ui->context, screen, ui->states[ui->screen]) : 0;
}

void ui_update_shown(struct ui *ui)
{
	if (ui_shown(ui)->update)
		ui_shown(ui)->update(&ui->context, ui->states[ui->screen]);
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
	r = window_new(s, o->facts, o->arg, &ui->window);
	if (r < 0)
		return r;
	ui->context = (struct screen_context){.store = s, .window = ui->window, .options = &ui->options,
					      .screens = all_screens, .global_keys = global_keys};
	r = ui_open_shown(ui);
	if (r < 0)
		return r;
	ui_update_shown(ui);
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
	if (window_forget(ui->window, first) && ui->paused)
		ui_update_shown(ui);
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
	return ui_show_time(ui);
}

void ui_answered(struct ui *ui)
{
	ui_update_shown(ui);
}

void ui_say(struct ui *ui, const char *text)
{
	snprintf(ui->said, sizeof(ui->said), "%s", text);
}

static unsigned draw_header(struct ui *ui, struct grid *g, unsigned rows)
{
	struct header h = {.context = &ui->context, .host = ui->host, .kernel = ui->kernel, .paused = ui->paused,
			   .start_wall_ns = (uint64_t)store_meta_int(ui->store, "start_wall_ns"),
			   .behind_ns = window_newest_end_ns(ui->window) - window_end_ns(ui->window),
			   .partial = ui_is_partial(ui),
			   .detail = ui_shown(ui)->whole ? HEADER_TITLE : ui_shown(ui)->detailed ? HEADER_ALL : HEADER_BRIEF};

	return header_draw(&h, g, rows);
}

static unsigned draw_footer(struct ui *ui, struct grid *g)
{
	return footer_draw(&ui->context, ui_shown(ui), ui->said, g);
}

/* A screen's use is its rows: the header gets a third at most. */
unsigned ui_header_rows(unsigned rows)
{
	return rows / 3;
}

static void draw_shown(struct ui *ui, struct grid *g, const struct area *a)
{
	ui_shown(ui)->draw(&ui->context, ui->states[ui->screen], g, a);
}

void ui_draw(struct ui *ui, struct grid *g)
{
	struct area a = {.columns = g->columns};

	ui->rows = g->rows;
	ui->columns = g->columns;
	grid_clear(g);
	if (!g->rows || !g->columns)
		return;
	a.row = draw_header(ui, g, ui_header_rows(g->rows));
	a.rows = g->rows - a.row - draw_footer(ui, g);
	draw_shown(ui, g, &a);
}

void ui_draw_all(struct ui *ui, struct grid *g, unsigned columns)
{
	struct area a = {.columns = columns};
	const struct screen *screen = ui_shown(ui);

	grid_resize(g, HEADER_MOST, columns);
	a.row = draw_header(ui, g, HEADER_MOST);
	a.rows = screen->height ? screen->height(&ui->context, ui->states[ui->screen]) : HEADER_MOST;
	grid_resize(g, a.row + a.rows, columns);
	draw_header(ui, g, a.row);
	draw_shown(ui, g, &a);
}

static enum ui_answer save(struct ui *ui, bool flames)
{
	uint64_t end = window_end_ns(ui->window);
	struct ui_save what = {.kind = flames ? profile_names[ui_shown(ui)->profile] : NULL, .from_ns = end - window_ns(ui->window),
			       .to_ns = end};

	for (uint32_t i = 0; ui->context.focus.process && i < window_process_count(ui->window); i++)
		if (window_process(ui->window, i)->id == ui->context.focus.process)
			what.pid = window_process(ui->window, i)->pid;
	if (!ui->options.save || !end)
		return UI_NOTHING;
	ui->options.save(ui->options.arg, &what);
	return UI_REDRAW;
}

static enum ui_answer global_key(struct ui *ui, int code)
{
	switch (code) {
	case 'q':
	case UI_KEY_F10: return UI_QUIT;
	case 'p':
	case ' ': return ui_toggle_pause(ui);
	case '+':
	case '=': return ui_change_window(ui, 1);
	case '-': return ui_change_window(ui, -1);
	case '[': return ui_step_in_time(ui, -1, false);
	case ']': return ui_step_in_time(ui, 1, false);
	case '{': return ui_step_in_time(ui, -1, true);
	case '}': return ui_step_in_time(ui, 1, true);
	case 'o': return ui_toggle_only(ui);
	case 'w': return save(ui, false);
	case 's': return save(ui, true);
	case UI_KEY_ENTER: return ui_explain(ui);
	case UI_KEY_BACKSPACE:
	case UI_KEY_ESCAPE: return ui_go_back(ui);
	case UI_KEY_F1:
	case 'h': code = '?'; break;
	case UI_KEY_F7:
	case UI_KEY_F8:
	case UI_KEY_F9:
		ui_say(ui, "perfscope only watches: kill and renice are left to the commands of that name");
		return UI_REDRAW;
	}
	for (size_t i = 0; all_screens[i]; i++)
		if (all_screens[i]->key == code)
			return ui_go_to(ui, i);
	return UI_NOTHING;
}

enum ui_answer ui_key(struct ui *ui, const struct key_event *e)
{
	const struct screen *screen = ui_shown(ui);
	enum ui_answer answer;

	ui->said[0] = 0;
	if (ui_click_time(ui, e, &answer))
		return answer;
	if (screen->key_press && screen->key_press(&ui->context, ui->states[ui->screen], e))
		return UI_REDRAW;
	return global_key(ui, e->code);
}

const struct window *ui_window(const struct ui *ui)
{
	return ui->window;
}
