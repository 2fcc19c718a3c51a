// SPDX-License-Identifier: BSD-2-Clause
#include <math.h>
#include <string.h>

#include "clock.h"
#include "format.h"
#include "mem.h"
#include "panels.h"
#include "spark.h"
#include "window.h"

enum { MOST_CPUS = 1024, CPU_CELLS = 38, NAME_CELLS = 8, RUN_QUEUE_FROM = 48 };

/* user, kernel, interrupts, stolen: what is left is idle */
static const struct {
	const char *metrics[2];
	const char *glyph;
	enum style style;
} parts_of_cpu[] = {
	{{"cpu.user", "cpu.nice"}, "█", STYLE_USER},
	{{"cpu.system"}, "▓", STYLE_SYSTEM},
	{{"cpu.irq", "cpu.softirq"}, "▒", STYLE_IRQ},
	{{"cpu.steal"}, "░", STYLE_STEAL},
};

static double cpu_parts(const struct window *w, uint32_t cpu, struct bar_part parts[5])
{
	uint32_t resource = window_cpu_resource(w, cpu);
	double busy = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts_of_cpu); i++) {
		double percent = 0;

		for (int k = 0; k < 2 && parts_of_cpu[i].metrics[k]; k++)
			percent += window_level(w, parts_of_cpu[i].metrics[k], resource);
		parts[i] = (struct bar_part){percent / 100, parts_of_cpu[i].glyph, parts_of_cpu[i].style};
		busy += percent;
	}
	parts[4] = (struct bar_part){busy < 100 ? 1 - busy / 100 : 0, " ", STYLE_NORMAL};
	return busy;
}

/* 10 ms is a lost frame or a late answer, 100 ms is what people notice. */
static enum style latency_style(uint64_t ns)
{
	return ns >= 100 * NS_PER_MS ? STYLE_CRITICAL : ns >= 10 * NS_PER_MS ? STYLE_WARNING : STYLE_DIM;
}

static void draw_cpu(const struct window *w, struct grid *g, uint32_t cpu, const struct area *a)
{
	struct bar_part parts[5];
	double busy = cpu_parts(w, cpu, parts);
	uint64_t wait = window_quantile(w, "runqueue.latency", window_cpu_resource(w, cpu), 0.99);
	unsigned label = grid_putf(g, a->row, a->column, a->columns, STYLE_DIM, "%3u ", cpu);
	unsigned queue = a->columns >= RUN_QUEUE_FROM ? 12 : 0;
	unsigned bar = a->columns > label + 9 + queue ? a->columns - label - 9 - queue : 0;
	char text[16];

	grid_put(g, a->row, a->column + label, 1, STYLE_DIM, "[");
	bar_draw(g, a->row, a->column + label + 1, bar, parts, ARRAY_SIZE(parts));
	grid_putf(g, a->row, a->column + label + 1 + bar, 8, busy >= 90 ? STYLE_STRONG : STYLE_NORMAL, "]%6.1f%%", busy);
	if (queue)
		grid_putf(g, a->row, a->column + label + 10 + bar, queue - 1, latency_style(wait), "q %s", format_ns((double)wait, text));
}

/* More CPUs than bars fit: one cell for each, its height what it does. */
static unsigned draw_strip(const struct window *w, struct grid *g, const struct area *a, const uint32_t *cpus, uint32_t count)
{
	static const char *const heights[] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	unsigned used = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct bar_part parts[5];
		double busy = cpu_parts(w, cpus[i], parts);
		int level = busy < 1 ? 0 : (int)(busy / 100 * 7.99) + 1;

		used = i / a->columns;
		if (used >= a->rows)
			return used;
		grid_put(g, a->row + used, a->column + i % a->columns, 1, busy >= 90 ? STYLE_WARNING : STYLE_USER,
			 heights[level > 8 ? 8 : level]);
	}
	return count ? used + 1 : 0;
}

unsigned panel_cpus(const struct window *w, struct grid *g, const struct area *a)
{
	uint32_t cpus[MOST_CPUS], count = window_cpus(w, cpus, MOST_CPUS);
	unsigned beside = a->columns / CPU_CELLS ? a->columns / CPU_CELLS : 1, lines;

	if (!a->columns)
		return 0;
	if (beside > count)
		beside = count ? count : 1;
	lines = (count + beside - 1) / beside;
	if (lines > a->rows)
		return draw_strip(w, g, a, cpus, count);
	beside = lines ? (count + lines - 1) / lines : 1;
	for (uint32_t i = 0; i < count; i++) {
		/* Down, then across: neighbours stay neighbours. */
		unsigned width = a->columns / beside;
		struct area cell = {a->row + i % lines, a->column + i / lines * width, 1, width - (beside > 1)};

		draw_cpu(w, g, cpus[i], &cell);
	}
	return lines;
}

struct line_of {
	struct grid *grid;
	const struct area *area;
	unsigned row, spark;
};

/* "memory   61% ▁▂▃ ": where the words behind it begin. */
static unsigned begin(const struct line_of *l, const char *name, double percent, double critical, const double *values,
		      unsigned count, double most)
{
	unsigned column = l->area->column, columns = l->area->columns;

	grid_put(l->grid, l->row, column, columns, STYLE_DIM, name);
	if (!isnan(percent) && columns > NAME_CELLS)
		grid_putf(l->grid, l->row, column + NAME_CELLS, columns - NAME_CELLS,
			  percent >= critical ? STYLE_CRITICAL : percent >= critical - 15 ? STYLE_WARNING : STYLE_STRONG, "%3.0f%%",
			  percent);
	spark_draw(l->grid, l->row, column + NAME_CELLS + 5, l->spark, STYLE_USER, values, count, most);
	return NAME_CELLS + 6 + l->spark;
}

static void end(const struct line_of *l, unsigned at, const char *text)
{
	if (at < l->area->columns)
		grid_put(l->grid, l->row, l->area->column + at, l->area->columns - at, STYLE_NORMAL, text);
}

static double largest(const double *values, unsigned count)
{
	double most = 0;

	for (unsigned i = 0; i < count; i++)
		most = values[i] > most ? values[i] : most;
	return most;
}

unsigned panel_cpu_course(const struct window *w, uint32_t last, double *values, unsigned most)
{
	uint32_t cpus[MOST_CPUS], count = window_cpus(w, cpus, MOST_CPUS);
	_cleanup_free_ double *part = xcalloc(most + 1, sizeof(*part));
	unsigned shown = 0;

	memset(values, 0, most * sizeof(*values));
	for (uint32_t i = 0; i < count; i++)
		for (size_t k = 0; k < 2 * ARRAY_SIZE(parts_of_cpu); k++) {
			const char *metric = parts_of_cpu[k / 2].metrics[k % 2];

			if (metric)
				shown = window_series_to(w, metric, window_cpu_resource(w, cpus[i]), last, part, most);
			for (unsigned v = 0; metric && v < shown; v++)
				values[v] += part[v] / count;
		}
	return shown;
}

static void draw_cpu_line(const struct window *w, const struct line_of *l)
{
	uint32_t cpus[MOST_CPUS], count = window_cpus(w, cpus, MOST_CPUS);
	double values[SPARK_MOST], busy = 0;
	struct bar_part parts[5];
	char p50[16], p99[16];
	unsigned shown = panel_cpu_course(w, window_last(w), values, SPARK_MOST);
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	for (uint32_t i = 0; i < count; i++)
		busy += cpu_parts(w, cpus[i], parts);
	format_ns((double)window_quantile(w, "runqueue.latency", 0, 0.5), p50);
	format_ns((double)window_quantile(w, "runqueue.latency", 0, 0.99), p99);
	buf_addf(&text, "wait for a CPU p50 %s p99 %s", p50, p99);
	end(l, begin(l, "cpu", count ? busy / count : 0, 95, values, shown, 100), text.data);
}

static void draw_memory_line(const struct window *w, const struct line_of *l)
{
	double values[SPARK_MOST], total = window_level_last(w, "memory.total", 0),
	       available = window_level_last(w, "memory.available", 0), swap = window_level_last(w, "swap.total", 0);
	unsigned count = window_series(w, "memory.available", 0, values, SPARK_MOST);
	double used = total > 0 ? 100 * (1 - available / total) : NAN;
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	char a[16], b[16];

	for (unsigned i = 0; i < count; i++)
		values[i] = values[i] > 0 ? total - values[i] : 0;
	if (!isnan(used))
		buf_addf(&text, "%s of %s available", format_bytes(available, a), format_bytes(total, b));
	if (swap > 0)
		buf_addf(&text, ", swap %s of %s used", format_bytes(swap - window_level_last(w, "swap.free", 0), a),
			 format_bytes(swap, b));
	end(l, begin(l, "memory", used, 95, values, count, total), text.data);
}

/* The resource of a kind that has most of a metric; 0: none has any. */
static uint32_t busiest(const struct window *w, const char *kind, const char *const *metrics)
{
	double most = -1;
	uint32_t best = 0;

	for (uint32_t i = 1; i < window_resource_count(w); i++) {
		double sum = 0;
		bool has = false;

		if (strcmp(window_resource(w, i)->kind, kind))
			continue;
		for (int k = 0; metrics[k]; k++) {
			has |= window_has_level(w, metrics[k], i);
			sum += window_level_sum(w, metrics[k], i);
		}
		if (has && sum > most) {
			most = sum;
			best = i;
		}
	}
	return best;
}

static double rate(const struct window *w, const char *metric, uint32_t resource)
{
	return window_ns(w) ? window_level_sum(w, metric, resource) * NS_PER_S / (double)window_ns(w) : 0;
}

static void draw_disk_line(const struct window *w, const struct line_of *l)
{
	uint32_t disk = busiest(w, "disk", (const char *const[]){"disk.busy", "disk.size", NULL});
	double values[SPARK_MOST], busy = disk ? window_level(w, "disk.busy", disk) : NAN;
	unsigned count = disk ? window_series(w, "disk.busy", disk, values, SPARK_MOST) : 0;
	uint64_t p99 = window_quantile(w, "disk.device_time.*", disk, 0.99);
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	char a[16], b[16];

	if (disk)
		buf_addf(&text, "%s read %s/s written %s/s queue %.1f", window_resource(w, disk)->name,
			 format_bytes(rate(w, "disk.read", disk), a), format_bytes(rate(w, "disk.written", disk), b),
			 window_level(w, "disk.queue", disk));
	if (disk && p99)
		buf_addf(&text, " p99 %s", format_ns((double)p99, a));
	end(l, begin(l, "disk", busy, 95, values, count, 100), text.data);
}

static void draw_network_line(const struct window *w, const struct line_of *l)
{
	uint32_t interface = busiest(w, "interface", (const char *const[]){"interface.received", "interface.sent", NULL});
	double values[SPARK_MOST], sent[SPARK_MOST], busy = interface ? window_level(w, "interface.busy", interface) : 0;
	unsigned count = interface ? window_series(w, "interface.received", interface, values, SPARK_MOST) : 0;
	unsigned more = interface ? window_series(w, "interface.sent", interface, sent, SPARK_MOST) : 0;
	double connections = window_level_last(w, "tcp.established", 0);
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	char a[16], b[16];

	for (unsigned i = 0; i < count && i < more; i++)
		values[i] += sent[i];
	if (interface)
		buf_addf(&text, "%s in %s/s out %s/s", window_resource(w, interface)->name,
			 format_bytes(rate(w, "interface.received", interface), a), format_bytes(rate(w, "interface.sent", interface), b));
	if (!isnan(connections))
		buf_addf(&text, "%s%.0f TCP connections", text.len ? ", " : "", connections);
	end(l, begin(l, "network", busy > 0 ? busy : NAN, 95, values, count, largest(values, count)), text.data);
}

static unsigned spark_cells(const struct area *a)
{
	return a->columns / 5 < SPARK_MOST ? a->columns / 5 : SPARK_MOST;
}

uint32_t panel_system_slice(const struct window *w, const struct area *a, unsigned row, unsigned column)
{
	unsigned end = a->column + NAME_CELLS + 5 + spark_cells(a), back = end - 1 - column;
	uint32_t last = window_last(w), oldest = window_oldest(w);

	if (row < a->row || row >= a->row + a->rows || column >= end || back >= spark_cells(a))
		return 0;
	return oldest && last >= oldest + back ? last - back : 0;
}

unsigned panel_system(const struct screen_context *c, struct grid *g, const struct area *a)
{
	static void (*const lines[])(const struct window *w, const struct line_of *l) = {
		draw_cpu_line, draw_memory_line, draw_disk_line, draw_network_line,
	};
	unsigned count = 0;

	for (; count < ARRAY_SIZE(lines) && count < a->rows; count++) {
		struct line_of l = {g, a, a->row + count, spark_cells(a)};

		lines[count](c->window, &l);
	}
	return count;
}
