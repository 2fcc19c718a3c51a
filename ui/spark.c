// SPDX-License-Identifier: BSD-2-Clause
#include "spark.h"

static const char *const heights[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

void spark_draw(struct grid *g, unsigned row, unsigned column, unsigned columns, enum style style, const double *values,
		unsigned count, double most)
{
	unsigned shown = count < columns ? count : columns;

	for (unsigned i = 0; i < shown; i++) {
		double share = most > 0 ? values[count - shown + i] / most : 0;
		int level = share > 0.01 ? 1 + (int)(share * 7.5) : 0;

		/* What has just happened stands at the right end. */
		grid_put(g, row, column + columns - shown + i, 1, style, heights[level > 8 ? 8 : level]);
	}
}
