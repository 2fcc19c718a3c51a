// SPDX-License-Identifier: BSD-2-Clause
/* Where: from screen to screen, what is looked at there, and the way back. */
#include <string.h>

#include "table_screen.h"
#include "ui_internal.h"

static void remember(struct ui *ui)
{
	if (ui->step_count == MOST_STEPS) {
		memmove(ui->steps, ui->steps + 1, (MOST_STEPS - 1) * sizeof(*ui->steps));
		ui->step_count--;
	}
	ui->steps[ui->step_count++] = (struct step){
		ui->screen, ui_shown(ui)->table ? table_screen_shown(ui->states[ui->screen]) : NULL, ui->context.focus};
}

static enum ui_answer show_screen(struct ui *ui, size_t screen, const struct focus *focus)
{
	size_t before = ui->screen;

	ui->context.focus = *focus;
	ui->screen = screen;
	if (ui_open_shown(ui) < 0)
		ui->screen = before;
	ui_update_shown(ui);
	return UI_REDRAW;
}

enum ui_answer ui_go_back(struct ui *ui)
{
	const struct step *step;

	if (!ui->step_count)
		return ui->screen ? show_screen(ui, 0, &(struct focus){0}) : UI_NOTHING;
	step = &ui->steps[--ui->step_count];
	if (step->view)
		table_screen_show(ui->states[step->screen], step->view);
	return show_screen(ui, step->screen, &step->focus);
}

enum ui_answer ui_go_to(struct ui *ui, size_t screen)
{
	struct focus focus = ui->context.focus;

	/* The same key leads back; but who presses that of the first screen wants to be there. */
	if (screen == ui->screen)
		return screen ? ui_go_back(ui) : UI_NOTHING;
	remember(ui);
	if (all_screens[screen]->from_top && ui->states[screen])
		table_screen_rewind(ui->states[screen]);
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
	if (ui_open_shown(ui) < 0)
		return false;
	if (table_screen_has(ui_shown(ui), name))
		table_screen_show(ui->states[screen], name);
	ui_update_shown(ui);
	return true;
}

bool ui_show(struct ui *ui, const char *screen)
{
	return go_to_named(ui, screen, &ui->context.focus);
}

static bool target_of(struct ui *ui, struct target *target)
{
	const struct screen *screen = ui_shown(ui);

	*target = (struct target){.focus = ui->context.focus};
	return screen->enter && screen->enter(&ui->context, ui->states[ui->screen], target);
}

enum ui_answer ui_explain(struct ui *ui)
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
enum ui_answer ui_toggle_only(struct ui *ui)
{
	struct target target;
	struct focus focus = {.finding = ui->context.focus.finding};

	if (focus_is_any(&ui->context.focus) && !ui->context.focus.resource && target_of(ui, &target))
		focus = target.focus;
	ui->context.focus = focus;
	ui_update_shown(ui);
	return UI_REDRAW;
}
