// SPDX-License-Identifier: BSD-2-Clause
/* fixture: the live screen of a store that is filled by hand, on the terminal that it is started on: ends as top does. */
#include <signal.h>
#include <stdio.h>

#include "check.h"
#include "fail.h"
#include "loop.h"
#include "mem.h"
#include "store.h"
#include "terminal.h"
#include "terminal_guard.h"
#include "ui_fixture.h"

struct shown {
	struct loop *loop;
	struct ui *ui;
	struct terminal *terminal;
};

static int draw(void *arg)
{
	struct shown *s = arg;

	ui_draw(s->ui, terminal_grid(s->terminal));
	terminal_show(s->terminal);
	return 0;
}

static int take_key(void *arg, const struct key_event *e)
{
	struct shown *s = arg;

	if (ui_key(s->ui, e) == UI_QUIT)
		loop_stop(s->loop);
	return draw(s);
}

static int leave(void *arg, uint32_t number)
{
	loop_stop(((struct shown *)arg)->loop);
	return 0;
}

static int show(struct shown *s)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	_cleanup_(terminal_closep) struct terminal *terminal = NULL;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
		r = loop_add_signal(s->loop, signals[i], leave, s);
	if (r >= 0)
		r = terminal_open(s->loop, &(struct terminal_events){.key = take_key, .redraw = draw, .arg = s}, &s->terminal);
	terminal = s->terminal;
	if (r >= 0 && (r = draw(s)) >= 0)
		r = loop_run(s->loop);
	return r;
}

int main(void)
{
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_(answers_done) struct answers answers = {0};
	_cleanup_(loop_freep) struct loop *loop = NULL;
	_cleanup_(ui_freep) struct ui *ui = NULL;
	bool changed;
	int r = terminal_guard_start();

	if (r >= 0)
		r = loop_new(&loop);
	if (r >= 0) {
		store = ui_fixture();
		answers = answers_new();
		ui = make_ui(store, &answers);
		for (uint32_t i = 1; i <= 10; i++)
			fill_slice(store, i, i > 5);
		r = ui_update(ui, &changed);
	}
	if (r >= 0)
		r = show(&(struct shown){.loop = loop, .ui = ui});
	if (r < 0)
		fprintf(stderr, "%s\n", fail_message());
	return r < 0 ? 2 : 0;
}
