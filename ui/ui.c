// SPDX-License-Identifier: BSD-2-Clause
#include "ui.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "footer.h"
#include "header.h"
#include "mem.h"
#include "recorded.h"
#include "screen.h"
#include "store_query.h"
#include "store_write.h"
#include "table_screen.h"
#include "timeline.h"

enum { PRUNE_SLICES = 10, HEADER_MOST = 100, MOST_STEPS = 32 };

static const uint64_t window_steps_s[] = {1, 2, 5, 10, 30, 60, 120, 300, 600};

/* Where the user came from. */
struct step {
	size_t screen;
	struct focus focus;
};

struct ui {
	struct store *store;
	struct ui_options options;
	struct window *window;
	uint64_t window_ns;
	uint64_t table_ns; /* what it took to make what is shown, the last time */
	bool paused;
	uint32_t pressed; /* slice in the time line at which the mouse was pressed; 0: elsewhere */
	unsigned rows, columns; /* of what was drawn the last time */
	struct screen_context context;
	void **states; /* by screen; NULL: not opened yet */
	size_t screen; /* the one that is shown */
	struct step steps[MOST_STEPS];
	size_t step_count;
	char host[256], kernel[256], said[256];
	uint32_t slices_since_prune;
};

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
	return screen->open ? screen->open(&ui->context, screen, ui->states[ui->screen]) : 0;
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
	ui->context = (struct screen_context){.store = s, .window = ui->window, .options = &ui->options,
					      .screens = all_screens, .global_keys = global_keys};
	r = open_shown(ui);
	if (r < 0)
		return r;
	update_shown(ui);
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

/* A part of a window costs a screen's table each time: no less is added to it at once than that takes. */
static int show_slice(struct ui *ui, uint32_t last)
{
	uint64_t patience = ui->options.patience_ns, start;
	int r;

	window_set_patience(ui->window, patience && ui->table_ns > patience ? ui->table_ns : patience);
	r = window_show_ns(ui->window, last, ui->window_ns);
	if (r < 0)
		return r;
	start = clock_mono_ns();
	update_shown(ui);
	ui->table_ns = clock_mono_ns() - start;
	return r;
}

static int show(struct ui *ui)
{
	return show_slice(ui, ui->paused ? window_last(ui->window) : 0);
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

bool ui_is_partial(const struct ui *ui)
{
	return window_is_partial(ui->window);
}

int ui_go_on(struct ui *ui)
{
	return show_slice(ui, window_last(ui->window));
}

void ui_answered(struct ui *ui)
{
	update_shown(ui);
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
			   .detail = shown(ui)->whole ? HEADER_TITLE : shown(ui)->detailed ? HEADER_ALL : HEADER_BRIEF};

	return header_draw(&h, g, rows);
}

static unsigned draw_footer(struct ui *ui, struct grid *g)
{
	return footer_draw(&ui->context, shown(ui), ui->said, g);
}

/* A screen's use is its rows: the header gets a third at most. */
static unsigned header_rows(unsigned rows)
{
	return rows / 3;
}

static void draw_shown(struct ui *ui, struct grid *g, const struct area *a)
{
	shown(ui)->draw(&ui->context, ui->states[ui->screen], g, a);
}

void ui_draw(struct ui *ui, struct grid *g)
{
	struct area a = {.columns = g->columns};

	ui->rows = g->rows;
	ui->columns = g->columns;
	grid_clear(g);
	if (!g->rows || !g->columns)
		return;
	a.row = draw_header(ui, g, header_rows(g->rows));
	a.rows = g->rows - a.row - draw_footer(ui, g);
	draw_shown(ui, g, &a);
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

/* Another time is looked at: the picture stands still there. */
static enum ui_answer step_in_time(struct ui *ui, int direction, bool far)
{
	uint32_t last = window_last(ui->window), step = far ? window_slices(ui->window) : 1;

	if (!last)
		return UI_NOTHING;
	ui->paused = true;
	if (direction < 0)
		last = last > step ? last - step : 1;
	else
		last += step;
	return show_slice(ui, last) < 0 ? UI_NOTHING : UI_REDRAW;
}

static enum ui_answer look_back(struct ui *ui, uint32_t last)
{
	ui->paused = true;
	return show_slice(ui, last) < 0 ? UI_NOTHING : UI_REDRAW;
}

/* A click on a moment of the time line shows the window that ends there, pressing and releasing the part in between. */
static bool click_time(struct ui *ui, const struct key_event *e, enum ui_answer *ret_answer)
{
	const struct screen *screen = shown(ui);
	uint32_t first, last = 0, pressed = ui->pressed;

	if (e->code != UI_KEY_CLICK && e->code != UI_KEY_RELEASE)
		return false;
	ui->pressed = 0;
	if (ui->paused && header_rows(ui->rows) > TIMELINE_ROW && e->row == TIMELINE_ROW)
		timeline_slices(ui->window, ui->columns, e->column, &first, &last);
	*ret_answer = UI_NOTHING;
	if (e->code == UI_KEY_RELEASE) {
		if (!pressed || !last || (pressed >= first && pressed <= last))
			return true;
		ui->window_ns = pressed < first ? window_span_ns(ui->window, pressed, last) : window_span_ns(ui->window, first, pressed);
		*ret_answer = look_back(ui, pressed < first ? last : pressed);
		return true;
	}
	ui->pressed = last;
	if (!last && screen->slice_at)
		last = screen->slice_at(&ui->context, ui->states[ui->screen], e->row, e->column);
	if (last)
		*ret_answer = look_back(ui, last);
	return last;
}

static void remember(struct ui *ui)
{
	if (ui->step_count == MOST_STEPS) {
		memmove(ui->steps, ui->steps + 1, (MOST_STEPS - 1) * sizeof(*ui->steps));
		ui->step_count--;
	}
	ui->steps[ui->step_count++] = (struct step){ui->screen, ui->context.focus};
}

static enum ui_answer show_screen(struct ui *ui, size_t screen, const struct focus *focus)
{
	size_t before = ui->screen;

	ui->context.focus = *focus;
	ui->screen = screen;
	if (open_shown(ui) < 0)
		ui->screen = before;
	update_shown(ui);
	return UI_REDRAW;
}

static enum ui_answer go_back(struct ui *ui)
{
	const struct step *step;

	if (!ui->step_count)
		return ui->screen ? show_screen(ui, 0, &(struct focus){0}) : UI_NOTHING;
	step = &ui->steps[--ui->step_count];
	return show_screen(ui, step->screen, &step->focus);
}

static enum ui_answer go_to(struct ui *ui, size_t screen)
{
	struct focus focus = ui->context.focus;

	/* The same key leads back. */
	if (screen == ui->screen)
		return go_back(ui);
	remember(ui);
	/* The first screen is about the whole machine. */
	return show_screen(ui, screen, screen ? &focus : &(struct focus){0});
}

/* A screen's name, or one of its tables'. */
static bool find_screen(const char *name, size_t *ret_screen)
{
	for (size_t i = 0; all_screens[i]; i++)
		if (!strcmp(all_screens[i]->name, name) || table_screen_has(all_screens[i], name)) {
			*ret_screen = i;
			return true;
		}
	return false;
}

static bool go_to_named(struct ui *ui, const char *name, const struct focus *focus)
{
	size_t screen;

	if (!find_screen(name, &screen))
		return false;
	ui->screen = screen;
	ui->context.focus = *focus;
	if (open_shown(ui) < 0)
		return false;
	if (table_screen_has(shown(ui), name))
		table_screen_show(ui->states[screen], name);
	update_shown(ui);
	return true;
}

bool ui_show(struct ui *ui, const char *screen)
{
	return go_to_named(ui, screen, &ui->context.focus);
}

static bool target_of(struct ui *ui, struct target *target)
{
	const struct screen *screen = shown(ui);

	*target = (struct target){.focus = ui->context.focus};
	return screen->enter && screen->enter(&ui->context, ui->states[ui->screen], target);
}

static enum ui_answer explain(struct ui *ui)
{
	struct target target;

	if (!target_of(ui, &target))
		return UI_NOTHING;
	remember(ui);
	if (go_to_named(ui, target.screen, &target.focus))
		return UI_REDRAW;
	ui->step_count--;
	return UI_NOTHING;
}

/* What the selected row would lead to is what is looked at from now on. */
static enum ui_answer toggle_only(struct ui *ui)
{
	struct target target;
	struct focus focus = {.finding = ui->context.focus.finding};

	if (focus_is_any(&ui->context.focus) && !ui->context.focus.resource && target_of(ui, &target))
		focus = target.focus;
	ui->context.focus = focus;
	update_shown(ui);
	return UI_REDRAW;
}

static enum ui_answer save(struct ui *ui, bool flames)
{
	uint64_t end = window_end_ns(ui->window);
	struct ui_save what = {.kind = flames ? profile_names[shown(ui)->profile] : NULL, .from_ns = end - window_ns(ui->window),
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
	case ' ': return toggle_pause(ui);
	case '+':
	case '=': return change_window(ui, 1);
	case '-': return change_window(ui, -1);
	case '[': return step_in_time(ui, -1, false);
	case ']': return step_in_time(ui, 1, false);
	case '{': return step_in_time(ui, -1, true);
	case '}': return step_in_time(ui, 1, true);
	case 'o': return toggle_only(ui);
	case 'w': return save(ui, false);
	case 's': return save(ui, true);
	case UI_KEY_ENTER: return explain(ui);
	case UI_KEY_BACKSPACE:
	case UI_KEY_ESCAPE: return go_back(ui);
	case UI_KEY_F1:
	case 'h': code = '?'; break;
	}
	for (size_t i = 0; all_screens[i]; i++)
		if (all_screens[i]->key == code)
			return go_to(ui, i);
	return UI_NOTHING;
}

enum ui_answer ui_key(struct ui *ui, const struct key_event *e)
{
	const struct screen *screen = shown(ui);
	enum ui_answer answer;

	ui->said[0] = 0;
	if (click_time(ui, e, &answer))
		return answer;
	if (screen->key_press && screen->key_press(&ui->context, ui->states[ui->screen], e))
		return UI_REDRAW;
	return global_key(ui, e->code);
}

const struct window *ui_window(const struct ui *ui)
{
	return ui->window;
}
