/* SPDX-License-Identifier: BSD-2-Clause */
/* For ui*.c alone: what they share. ui.c keeps and draws, ui_time.c is about when, ui_way.c about where. */
#pragma once
#include "screen.h"
#include "ui.h"

enum { MOST_STEPS = 32 };

/* Where the user came from. */
struct step {
	size_t screen;
	const char *view; /* the one of its tables; NULL: it has none */
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

const struct screen *ui_shown(const struct ui *ui);
void ui_update_shown(struct ui *ui); /* what is looked at is another: its screen is made anew */
int ui_open_shown(struct ui *ui);    /* before it is shown for the first time */
/* A screen's use is its rows: so many at most are the header's. */
unsigned ui_header_rows(unsigned rows);

/* When. */
int ui_show_time(struct ui *ui); /* the newest, or what a pause has kept */
enum ui_answer ui_change_window(struct ui *ui, int step);
enum ui_answer ui_toggle_pause(struct ui *ui);
enum ui_answer ui_step_in_time(struct ui *ui, int direction, bool far);
/* A click on a moment of the time line shows the window that ends there, pressing and releasing the part in between. false: it was none. */
bool ui_click_time(struct ui *ui, const struct key_event *e, enum ui_answer *ret_answer);

/* Where. */
enum ui_answer ui_go_to(struct ui *ui, size_t screen);
enum ui_answer ui_go_back(struct ui *ui);
enum ui_answer ui_explain(struct ui *ui);     /* what the selected row leads to */
enum ui_answer ui_toggle_only(struct ui *ui); /* what the selected row would lead to is what is looked at from now on */
