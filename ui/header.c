// SPDX-License-Identifier: BSD-2-Clause
#include "header.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "mem.h"

enum { MOST_CPUS = 1024, CPU_CELLS = 38, MOST_FINDINGS = 3, NAMES_FROM = 72 };

/* "850 ns", "12 µs", "3.4 ms", "2.1 s" */
static const char *duration_text(uint64_t ns, char text[16])
{
	static const char *const units[] = {"ns", "µs", "ms", "s"};
	double value = (double)ns;
	unsigned unit = 0;

	for (; value >= 999.5 && unit + 1 < ARRAY_SIZE(units); unit++)
		value /= 1000;
	snprintf(text, 16, value < 9.95 && unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return text;
}

static enum style load_style(double load, uint32_t cpus)
{
	return load >= 2.0 * cpus ? STYLE_CRITICAL : load > cpus ? STYLE_WARNING : STYLE_STRONG;
}

static void clock_text(const struct header *h, char text[16])
{
	time_t seconds = (time_t)((h->start_wall_ns + window_end_ns(h->window)) / NS_PER_S);
	struct tm tm;

	text[0] = 0;
	if (h->start_wall_ns && localtime_r(&seconds, &tm))
		strftime(text, 16, "%H:%M:%S", &tm);
}

static void draw_title(const struct header *h, struct grid *g, uint32_t cpus)
{
	double load = window_level(h->window, "load", -1);
	unsigned at = grid_put(g, 0, 0, g->columns, STYLE_STRONG, "perfscope");
	char now[16];

	if (!window_ns(h->window))
		return;
	clock_text(h, now);
	if (g->columns >= NAMES_FROM) {
		at += grid_putf(g, 0, at, g->columns / 4, STYLE_NORMAL, " %s", h->host);
		at += grid_putf(g, 0, at, g->columns / 4, STYLE_DIM, " %s", h->kernel);
	}
	at += grid_putf(g, 0, at, g->columns - at, STYLE_NORMAL, "  %u CPUs  load ", cpus);
	at += grid_putf(g, 0, at, g->columns - at, load_style(load, cpus), "%.2f", load);
	at += grid_putf(g, 0, at, g->columns - at, STYLE_NORMAL, "  window ");
	at += grid_putf(g, 0, at, g->columns - at, STYLE_STRONG, "%.3g s", (double)window_ns(h->window) / NS_PER_S);
	if (h->paused)
		at += grid_put(g, 0, at + 1, g->columns - at, STYLE_WARNING, "paused") + 1;
	if (at + strlen(now) + 2 <= g->columns)
		grid_put_right(g, 0, at, g->columns - at, STYLE_DIM, now);
}

/* user, kernel, interrupts, stolen: what is left is idle */
static double cpu_parts(const struct window *w, int cpu, struct bar_part parts[5])
{
	static const struct {
		const char *metrics[2];
		const char *glyph;
		enum style style;
	} kinds[] = {
		{{"cpu.user", "cpu.nice"}, "█", STYLE_USER},
		{{"cpu.system"}, "▓", STYLE_SYSTEM},
		{{"cpu.irq", "cpu.softirq"}, "▒", STYLE_IRQ},
		{{"cpu.steal"}, "░", STYLE_STEAL},
	};
	double busy = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		double percent = 0;

		for (int k = 0; k < 2 && kinds[i].metrics[k]; k++)
			percent += window_level(w, kinds[i].metrics[k], cpu);
		parts[i] = (struct bar_part){percent / 100, kinds[i].glyph, kinds[i].style};
		busy += percent;
	}
	parts[4] = (struct bar_part){busy < 100 ? 1 - busy / 100 : 0, " ", STYLE_NORMAL};
	return busy;
}

static void draw_cpu(const struct header *h, struct grid *g, uint32_t cpu, const struct area *a)
{
	struct bar_part parts[5];
	double busy = cpu_parts(h->window, (int)cpu, parts);
	unsigned label = grid_putf(g, a->row, a->column, a->columns, STYLE_DIM, "%3u ", cpu);
	unsigned bar = a->columns > label + 9 ? a->columns - label - 9 : 0;

	grid_put(g, a->row, a->column + label, 1, STYLE_DIM, "[");
	bar_draw(g, a->row, a->column + label + 1, bar, parts, ARRAY_SIZE(parts));
	grid_putf(g, a->row, a->column + label + 1 + bar, 8, busy >= 90 ? STYLE_STRONG : STYLE_NORMAL, "]%6.1f%%", busy);
}

/* More CPUs than bars fit: one cell for each, its height what it does. */
static unsigned draw_strip(const struct header *h, struct grid *g, unsigned row, unsigned rows,
			   const uint32_t *cpus, uint32_t count)
{
	static const char *const heights[] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	unsigned used = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct bar_part parts[5];
		double busy = cpu_parts(h->window, (int)cpus[i], parts);
		int level = busy < 1 ? 0 : (int)(busy / 100 * 7.99) + 1;

		used = i / g->columns;
		if (used >= rows)
			return used;
		grid_put(g, row + used, i % g->columns, 1, busy >= 90 ? STYLE_WARNING : STYLE_USER,
			 heights[level > 8 ? 8 : level]);
	}
	return count ? used + 1 : 0;
}

static unsigned draw_cpus(const struct header *h, struct grid *g, unsigned row, unsigned rows,
			  const uint32_t *cpus, uint32_t count)
{
	unsigned beside = g->columns / CPU_CELLS ? g->columns / CPU_CELLS : 1, lines;

	if (beside > count)
		beside = count ? count : 1;
	lines = (count + beside - 1) / beside;
	if (lines > rows)
		return draw_strip(h, g, row, rows, cpus, count);
	beside = lines ? (count + lines - 1) / lines : 1;
	for (uint32_t i = 0; i < count; i++) {
		/* Down, then across: neighbours stay neighbours. */
		unsigned width = g->columns / beside;
		struct area a = {row + i % lines, i / lines * width, 1, width - (beside > 1)};

		draw_cpu(h, g, cpus[i], &a);
	}
	return lines;
}

static void draw_waits(const struct header *h, struct grid *g, unsigned row)
{
	const struct window *w = h->window;
	uint64_t p99 = window_latency(w, 0.99);
	double own_ns = window_level_sum(w, "self.cpu") + window_level_sum(w, "self.bpf");
	double lost = window_level_sum(w, "lost.records") + window_level_sum(w, "lost.threads") +
		      window_level_sum(w, "lost.mappings") + window_level_sum(w, "lost.switches");
	char p50_text[16], p99_text[16], most_text[16];
	unsigned at = grid_put(g, row, 0, g->columns, STYLE_DIM, "run queue ");

	duration_text(window_latency(w, 0.5), p50_text);
	duration_text(window_latency(w, 1), most_text);
	at += grid_putf(g, row, at, g->columns - at, STYLE_NORMAL, "p50 %s  p99 ", p50_text);
	/* 10 ms is a lost frame or a late answer, 100 ms is what people notice. */
	at += grid_put(g, row, at, g->columns - at,
		       p99 >= 100 * NS_PER_MS ? STYLE_CRITICAL : p99 >= 10 * NS_PER_MS ? STYLE_WARNING : STYLE_NORMAL,
		       duration_text(p99, p99_text));
	at += grid_putf(g, row, at, g->columns - at, STYLE_NORMAL, "  max %s", most_text);
	at += grid_put(g, row, at, g->columns - at, STYLE_DIM, "   perfscope ");
	at += grid_putf(g, row, at, g->columns - at, STYLE_NORMAL, "%.1f%% %.0f MB  ",
			window_ns(w) ? 100 * own_ns / (double)window_ns(w) : 0, window_level(w, "self.memory", -1) / 1e6);
	grid_putf(g, row, at, g->columns - at, lost > 0 ? STYLE_WARNING : STYLE_DIM, "lost %.0f", lost);
}

static enum style severity_style(const char *severity)
{
	return !strcmp(severity, "critical") ? STYLE_CRITICAL : !strcmp(severity, "warning") ? STYLE_WARNING : STYLE_GOOD;
}

static unsigned draw_findings(const struct header *h, struct grid *g, unsigned row, unsigned rows)
{
	unsigned line = 0;

	for (; line < h->finding_count && line < rows && line < MOST_FINDINGS; line++) {
		const struct ui_finding *f = &h->findings[line];
		enum style style = severity_style(f->severity);
		unsigned at = grid_putf(g, row + line, 0, g->columns, style, "%s ", f->severity);

		at += grid_putf(g, row + line, at, g->columns - at, STYLE_DIM, "%s ", f->id);
		grid_put(g, row + line, at, g->columns - at, style, f->title);
	}
	return line;
}

unsigned header_draw(const struct header *h, struct grid *g, unsigned rows)
{
	uint32_t cpus[MOST_CPUS], count = window_cpus(h->window, cpus, MOST_CPUS);
	unsigned used = 1;

	if (!rows)
		return 0;
	draw_title(h, g, count);
	if (rows < 3 || !window_ns(h->window))
		return 1;
	used += draw_cpus(h, g, used, rows - 2, cpus, count);
	draw_waits(h, g, used++);
	return used + draw_findings(h, g, used, rows - used);
}
