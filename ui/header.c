// SPDX-License-Identifier: BSD-2-Clause
#include "header.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "answers.h"
#include "clock.h"
#include "format.h"
#include "mem.h"
#include "panels.h"
#include "timeline.h"
#include "window.h"

enum { MOST_CPUS = 1024, MOST_FINDINGS = 3, NAMES_FROM = 72 };

static enum style load_style(double load, uint32_t cpus)
{
	return load >= 2.0 * cpus ? STYLE_CRITICAL : load > cpus ? STYLE_WARNING : STYLE_STRONG;
}

static void clock_text(const struct header *h, char text[16])
{
	time_t seconds = (time_t)((h->start_wall_ns + window_end_ns(h->context->window)) / NS_PER_S);
	struct tm tm;

	text[0] = 0;
	if (h->start_wall_ns && localtime_r(&seconds, &tm))
		strftime(text, 16, "%H:%M:%S", &tm);
}

static unsigned draw_pause(const struct header *h, struct grid *g, unsigned at)
{
	char ago[16];

	if (!h->paused)
		return at;
	at += 1 + grid_put(g, 0, at + 1, g->columns - at, STYLE_WARNING, "paused");
	if (h->behind_ns && at + 1 < g->columns)
		at += 1 + grid_putf(g, 0, at + 1, g->columns - at - 1, STYLE_WARNING, "%s ago", format_ns((double)h->behind_ns, ago));
	return at;
}

static void draw_title(const struct header *h, struct grid *g)
{
	const struct window *w = h->context->window;
	uint32_t ids[MOST_CPUS], cpus = window_cpus(w, ids, MOST_CPUS);
	double load = window_level(w, "load", 0);
	unsigned at = grid_put(g, 0, 0, g->columns, STYLE_STRONG, "perfscope");
	char now[16];

	if (!window_ns(w))
		return;
	clock_text(h, now);
	if (g->columns >= NAMES_FROM) {
		at += grid_putf(g, 0, at, g->columns / 4, STYLE_NORMAL, " %s", h->host);
		at += grid_putf(g, 0, at, g->columns / 4, STYLE_DIM, " %s", h->kernel);
	}
	at += grid_putf(g, 0, at, g->columns - at, STYLE_NORMAL, "  %u CPUs  load ", cpus);
	at += grid_putf(g, 0, at, g->columns - at, load_style(load, cpus), "%.2f", load);
	at += grid_putf(g, 0, at, g->columns - at, STYLE_NORMAL, "  window ");
	at += grid_putf(g, 0, at, g->columns - at, STYLE_STRONG, "%g s",
			(double)((window_ns(w) + NS_PER_S / 20) / (NS_PER_S / 10)) / 10); /* slices end when rings have been emptied */
	if (h->partial)
		at += grid_put(g, 0, at, g->columns - at, STYLE_WARNING, " so far");
	at = draw_pause(h, g, at);
	if (at + strlen(now) + 2 <= g->columns)
		grid_put_right(g, 0, at, g->columns - at, STYLE_DIM, now);
}

static unsigned draw_focus(const struct header *h, struct grid *g, unsigned row)
{
	char text[2 * FOCUS_NAME];
	unsigned at;

	focus_text(&h->context->focus, h->context->window, text, sizeof(text));
	if (!*text)
		return 0;
	at = grid_put(g, row, 0, g->columns, STYLE_KEY, "only ");
	at += grid_put(g, row, at, g->columns - at, STYLE_STRONG, text);
	grid_put(g, row, at, g->columns > at ? g->columns - at : 0, STYLE_DIM, "  (o: all again)");
	return 1;
}

static void draw_waits(const struct window *w, struct grid *g, unsigned row)
{
	uint64_t p99 = window_quantile(w, "runqueue.latency", 0, 0.99);
	double own_ns = window_level_sum(w, "self.cpu", 0) + window_level_sum(w, "self.bpf", 0);
	double lost = window_level_sum(w, "lost.records", 0) + window_level_sum(w, "lost.threads", 0) +
		      window_level_sum(w, "lost.mappings", 0) + window_level_sum(w, "lost.switches", 0);
	char p50_text[16], p99_text[16], most_text[16];
	unsigned at = grid_put(g, row, 0, g->columns, STYLE_DIM, "run queue ");

	format_ns((double)window_quantile(w, "runqueue.latency", 0, 0.5), p50_text);
	format_ns((double)window_quantile(w, "runqueue.latency", 0, 1), most_text);
	at += grid_putf(g, row, at, g->columns - at, STYLE_NORMAL, "p50 %s  p99 ", p50_text);
	/* 10 ms is a lost frame or a late answer, 100 ms is what people notice. */
	at += grid_put(g, row, at, g->columns - at,
		       p99 >= 100 * NS_PER_MS ? STYLE_CRITICAL : p99 >= 10 * NS_PER_MS ? STYLE_WARNING : STYLE_NORMAL,
		       format_ns((double)p99, p99_text));
	at += grid_putf(g, row, at, g->columns - at, STYLE_NORMAL, "  max %s", most_text);
	at += grid_put(g, row, at, g->columns - at, STYLE_DIM, "   perfscope ");
	at += grid_putf(g, row, at, g->columns - at, STYLE_NORMAL, "%.1f%% %.0f MB  ",
			window_ns(w) ? 100 * own_ns / (double)window_ns(w) : 0, window_level(w, "self.memory", 0) / 1e6);
	at += grid_putf(g, row, at, g->columns - at, lost > 0 ? STYLE_WARNING : STYLE_DIM, "lost %.0f", lost);
	if (window_level(w, "governor.held_back", 0) > 0)
		grid_put(g, row, at, g->columns - at, STYLE_WARNING, "  held back");
}

static unsigned draw_findings(const struct header *h, struct grid *g, unsigned row, unsigned rows)
{
	const json_t *all = shown_findings(h->context);
	unsigned line = 0;

	for (size_t i = 0; i < json_array_size(all) && line < rows; i++) {
		const json_t *f = json_array_get(all, i);
		enum style style = finding_style(h->context, f);
		unsigned at;

		if (finding_age(h->context, f) != FINDING_LASTS)
			continue;
		at = grid_putf(g, row + line, 0, g->columns, style, "%s ", answer_text(f, "severity"));
		at += grid_putf(g, row + line, at, g->columns - at, STYLE_DIM, "%s ", answer_text(f, "id"));
		grid_put(g, row + line, at, g->columns - at, style, answer_text(f, "title"));
		line++;
	}
	return line;
}

unsigned header_draw(const struct header *h, struct grid *g, unsigned rows)
{
	const struct screen_context *c = h->context;
	unsigned used = 1;

	if (!rows)
		return 0;
	draw_title(h, g);
	if (!window_ns(c->window))
		return 1;
	if (rows > TIMELINE_ROW && h->paused) {
		timeline_draw(c->window, g, TIMELINE_ROW);
		used++;
	}
	if (rows > used)
		used += draw_focus(h, g, used);
	if (h->detail == HEADER_TITLE || rows < 3 || used >= rows)
		return used;
	if (h->detail == HEADER_ALL) {
		struct area cpus = {used, 0, rows - used > 1 ? rows - used - 1 : 0, g->columns};

		used += panel_cpus(c->window, g, &cpus);
		if (used < rows)
			draw_waits(c->window, g, used++);
	}
	if (used >= rows)
		return used;
	return used + draw_findings(h, g, used, h->detail == HEADER_ALL && rows - used > MOST_FINDINGS ? MOST_FINDINGS :
				    h->detail == HEADER_ALL ? rows - used : 1);
}
