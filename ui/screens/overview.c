// SPDX-License-Identifier: BSD-2-Clause
/* Is the machine well, what is the bottleneck, who and why. */

#include "answers.h"
#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "format.h"
#include "lines.h"
#include "mem.h"
#include "panels.h"
#include "window.h"

enum panel { FINDINGS, RESOURCES, COMPONENTS, PANELS };
enum { WIDE_FROM = 150, FIRST_ANSWER_S = 7, ROOM_FOR_MORE = 20, MOST_ROWS = 3 };

struct overview {
	struct table tables[PANELS];
	struct area areas[PANELS], system;
	enum panel active;
};

static const struct {
	const struct column *columns;
	void (*fill)(const struct screen_context *c, struct table *t);
	const char *empty;
	int sort;
	bool ordered;
} panels[PANELS] = {
	[FINDINGS] = {panel_finding_columns, panel_findings, "none", 0, true},
	[RESOURCES] = {panel_resource_columns, panel_resources, "being added up", 0, true},
	[COMPONENTS] = {panel_component_columns, panel_components, "", 1, false},
};

static void update(const struct screen_context *c, void *state)
{
	struct overview *o = state;

	for (enum panel i = 0; i < PANELS; i++) {
		struct table *t = &o->tables[i];
		bool fresh = !t->columns;

		t->ordered = panels[i].ordered;
		table_begin(t, panels[i].columns);
		if (fresh)
			t->sort = panels[i].sort;
		panels[i].fill(c, t);
		table_end(t);
	}
}

static void close_screen(void *state)
{
	for (enum panel i = 0; i < PANELS; i++)
		table_done(&((struct overview *)state)->tables[i]);
}

static enum style verdict(const struct screen_context *c, struct buf *text)
{
	const json_t *worst = worst_finding(c, 1), *known = shown_findings(c), *info = worst_finding(c, 0);
	char since[16];

	if (worst) {
		buf_addf(text, "%s for %s: %s", answer_text(worst, "severity"), format_ns((double)finding_since_ns(c, worst), since),
			 answer_text(worst, "title"));
		return finding_style(c, worst);
	}
	if (!info && (!known || window_end_ns(c->window) < FIRST_ANSWER_S * NS_PER_S)) {
		buf_addstr(text, "Looking for what holds this machine up; that takes some seconds.");
		return STYLE_DIM;
	}
	buf_addstr(text, "Nothing holds this machine up.");
	if (info)
		buf_addf(text, " Worth knowing: %s", answer_text(info, "title"));
	return STYLE_GOOD;
}

/* Who and where stands at its end: where there is room, it goes on in the next row. Returns how many it takes. */
static unsigned draw_verdict(const struct screen_context *c, struct grid *g, const struct area *a)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	_cleanup_(lines_done) struct lines l = {0};
	struct area part = {a->row, a->column, a->rows >= ROOM_FOR_MORE ? MOST_ROWS : 1, a->columns};
	enum style style = verdict(c, &text);

	lines_reset(&l);
	if (part.rows == 1)
		lines_add(&l, style, 0, "%s", text.data);
	else
		lines_add_folded(&l, style, 0, a->columns, text.data);
	lines_draw(&l, 0, g, &part);
	return l.count < part.rows ? l.count : part.rows;
}

static void draw_panel(struct overview *o, enum panel i, struct grid *g, const struct area *a)
{
	struct table *t = &o->tables[i];

	o->areas[i] = *a;
	if (!a->rows)
		return;
	t->passive = i != o->active;
	table_draw(t, g, a);
	if (!t->count && a->rows > 1)
		grid_put(g, a->row + 1, a->column, a->columns, STYLE_DIM, panels[i].empty);
}

/* Below each other: findings and components get what they need, resources what is left. */
static void draw_narrow(struct overview *o, struct grid *g, const struct area *a)
{
	struct area part = *a;
	unsigned findings = o->tables[FINDINGS].count + 1, third = a->rows / 3;

	part.rows = findings < third ? (findings < 2 ? 2 : findings) : third;
	draw_panel(o, FINDINGS, g, &part);
	part.row += part.rows;
	part.rows = (a->row + a->rows - part.row) / 2;
	draw_panel(o, RESOURCES, g, &part);
	part.row += part.rows;
	part.rows = a->row + a->rows - part.row;
	draw_panel(o, COMPONENTS, g, &part);
}

static void draw_wide(struct overview *o, struct grid *g, const struct area *a)
{
	unsigned half = a->columns / 2, findings = o->tables[FINDINGS].count + 1;
	struct area part = {a->row, a->column, a->rows / 2, half - 1};

	part.rows = findings < a->rows / 3 ? findings + 1 : a->rows / 3;
	draw_panel(o, FINDINGS, g, &(struct area){a->row, a->column, part.rows, a->columns});
	part.row += part.rows;
	part.rows = a->rows - part.rows;
	draw_panel(o, RESOURCES, g, &part);
	part.column += half;
	part.columns = a->columns - half;
	draw_panel(o, COMPONENTS, g, &part);
}

static void draw(const struct screen_context *c, void *state, struct grid *g, const struct area *a)
{
	struct overview *o = state;
	struct area part = *a;

	if (!a->rows || !a->columns)
		return;
	if (!window_ns(c->window)) {
		grid_put(g, a->row, a->column, a->columns, STYLE_DIM, "Starting: the first second is being recorded.");
		return;
	}
	part.row += draw_verdict(c, g, &part);
	part.rows = a->rows / 4;
	part.row += panel_cpus(c->window, g, &part);
	part.rows = a->row + a->rows > part.row ? a->row + a->rows - part.row : 0;
	o->system = (struct area){0};
	if (part.rows > 4) {
		o->system = part;
		part.row += panel_system(c, g, &part);
		o->system.rows = part.row - o->system.row;
		part.rows = a->row + a->rows - part.row;
	}
	if (a->columns >= WIDE_FROM)
		draw_wide(o, g, &part);
	else
		draw_narrow(o, g, &part);
}

static unsigned height(const struct screen_context *c, const void *state)
{
	const struct overview *o = state;
	unsigned rows = 12;

	for (enum panel i = 0; i < PANELS; i++)
		rows += o->tables[i].count + 2;
	return rows;
}

static bool is_inside(const struct area *a, const struct key_event *e)
{
	return e->row >= a->row && e->row < a->row + a->rows && e->column >= a->column && e->column < a->column + a->columns;
}

static bool key_press(const struct screen_context *c, void *state, const struct key_event *e)
{
	struct overview *o = state;

	if (e->code == '\t' && !o->tables[o->active].typing) {
		o->active = (o->active + 1) % PANELS;
		return true;
	}
	for (enum panel i = 0; e->code == UI_KEY_CLICK && i < PANELS; i++)
		if (is_inside(&o->areas[i], e))
			o->active = i;
	return table_key(&o->tables[o->active], e);
}

static uint32_t slice_at(const struct screen_context *c, const void *state, unsigned row, unsigned column)
{
	return panel_system_slice(c->window, &((const struct overview *)state)->system, row, column);
}

static bool enter(const struct screen_context *c, void *state, struct target *target)
{
	struct overview *o = state;
	const struct record *r = table_selected(&o->tables[o->active]);

	if (!r)
		return false;
	switch (o->active) {
	case FINDINGS:
		target->focus.finding = r->key;
		target->screen = "findings";
		return true;
	case RESOURCES:
		target->screen = panel_resource_screen(r->text[3]);
		return true;
	default:
		snprintf(target->focus.component, FOCUS_NAME, "%s", r->text[0]);
		target->screen = "processes";
		return true;
	}
}

static const struct key_help keys[] = {
	{"Tab", "Panel", "findings, resources, services: arrows choose a row in it"},
	{"Enter", "Explain", "the row: on the screen that tells more"},
	{0},
};

const struct screen screen_overview = {
	.name = "overview",
	.label = "Over",
	.key = '1',
	.help = "is the machine well, what is the bottleneck, who and why",
	.keys = keys,
	.whole = true,
	.state_size = sizeof(struct overview),
	.update = update,
	.draw = draw,
	.height = height,
	.key_press = key_press,
	.enter = enter,
	.slice_at = slice_at,
	.close = close_screen,
};
