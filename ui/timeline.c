// SPDX-License-Identifier: BSD-2-Clause
#include "timeline.h"

#include "grid.h"
#include "mem.h"
#include "panels.h"
#include "spark.h"
#include "window.h"

enum { LABEL = 5, MOST_SLICES = 600 };

static uint32_t slices_kept(const struct window *w)
{
	uint32_t newest = window_newest(w), count = newest ? newest - window_oldest(w) + 1 : 0;

	return count < MOST_SLICES ? count : MOST_SLICES;
}

bool timeline_slices(const struct window *w, unsigned columns, unsigned column, uint32_t *ret_first, uint32_t *ret_last)
{
	uint32_t count = slices_kept(w), cells = columns > LABEL ? columns - LABEL : 0, first = window_newest(w) + 1 - count;

	if (cells > count)
		cells = count;
	if (column < LABEL || column - LABEL >= cells)
		return false;
	*ret_first = first + (uint32_t)((uint64_t)(column - LABEL) * count / cells);
	*ret_last = first + (uint32_t)((uint64_t)(column - LABEL + 1) * count / cells) - 1;
	return true;
}

void timeline_draw(const struct window *w, struct grid *g, unsigned row)
{
	uint32_t count = slices_kept(w), oldest = window_newest(w) + 1 - count, first, last;
	uint32_t shown_last = window_last(w), shown_first = shown_last + 1 - window_slices(w);
	_cleanup_free_ double *busy = xcalloc(count + 1, sizeof(*busy));

	panel_cpu_course(w, window_newest(w), busy, count);
	grid_put(g, row, 0, g->columns, STYLE_DIM, "time");
	for (unsigned column = LABEL; timeline_slices(w, g->columns, column, &first, &last); column++) {
		double most = 0;

		for (uint32_t slice = first; slice <= last; slice++)
			most = busy[slice - oldest] > most ? busy[slice - oldest] : most;
		spark_draw(g, row, column, 1, STYLE_USER, &most, 1, 100);
		if (first <= shown_last && last >= shown_first)
			grid_restyle(g, row, column, 1, STYLE_SELECTED);
	}
}
