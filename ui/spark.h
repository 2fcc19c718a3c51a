/* SPDX-License-Identifier: BSD-2-Clause */
/* A course of values as a line of small bars. */
#pragma once
#include "grid.h"

enum { SPARK_MOST = 240 };

/* The last `columns` values, each the share of `most` as the height of its cell. */
void spark_draw(struct grid *g, unsigned row, unsigned column, unsigned columns, enum style style, const double *values,
		unsigned count, double most);
