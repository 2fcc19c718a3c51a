// SPDX-License-Identifier: BSD-2-Clause
/* When: how much of the past is looked at, up to which moment, and whether the picture stands still. */
#include "clock.h"
#include "header.h"
#include "mem.h"
#include "timeline.h"
#include "ui_internal.h"

static const uint64_t window_steps_s[] = {1, 2, 5, 10, 30, 60, 120, 300, 600};

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
	ui_update_shown(ui);
	ui->table_ns = clock_mono_ns() - start;
	return r;
}

int ui_show_time(struct ui *ui)
{
	return show_slice(ui, ui->paused ? window_last(ui->window) : 0);
}

bool ui_is_partial(const struct ui *ui)
{
	return window_is_partial(ui->window);
}

int ui_go_on(struct ui *ui)
{
	return show_slice(ui, window_last(ui->window));
}

enum ui_answer ui_change_window(struct ui *ui, int step)
{
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(window_steps_s) && window_steps_s[i] * NS_PER_S < ui->window_ns)
		i++;
	if (step > 0 && i + 1 < ARRAY_SIZE(window_steps_s) && window_steps_s[i] * NS_PER_S <= ui->window_ns)
		i++;
	if (step < 0 && i > 0 && window_steps_s[i] * NS_PER_S >= ui->window_ns)
		i--;
	ui->window_ns = window_steps_s[i] * NS_PER_S;
	return ui_show_time(ui) < 0 ? UI_NOTHING : UI_REDRAW;
}

enum ui_answer ui_toggle_pause(struct ui *ui)
{
	ui->paused = !ui->paused;
	return ui->paused || ui_show_time(ui) >= 0 ? UI_REDRAW : UI_NOTHING;
}

/* Another time is looked at: the picture stands still there. */
static enum ui_answer look_back(struct ui *ui, uint32_t last)
{
	ui->paused = true;
	return show_slice(ui, last) < 0 ? UI_NOTHING : UI_REDRAW;
}

enum ui_answer ui_step_in_time(struct ui *ui, int direction, bool far)
{
	uint32_t last = window_last(ui->window), step = far ? window_slices(ui->window) : 1;

	if (!last)
		return UI_NOTHING;
	return look_back(ui, direction > 0 ? last + step : last > step ? last - step : 1);
}

/* A click on a moment of the time line shows the window that ends there, pressing and releasing the part in between. */
bool ui_click_time(struct ui *ui, const struct key_event *e, enum ui_answer *ret_answer)
{
	const struct screen *screen = ui_shown(ui);
	uint32_t first, last = 0, pressed = ui->pressed;

	if (e->code != UI_KEY_CLICK && e->code != UI_KEY_RELEASE)
		return false;
	ui->pressed = 0;
	if (ui->paused && ui_header_rows(ui->rows) > TIMELINE_ROW && e->row == TIMELINE_ROW)
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
