/* SPDX-License-Identifier: BSD-2-Clause */
/* All that can be looked back to as one line, oldest first: what the CPUs did, and which part of it is shown. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct grid;
struct window;

void timeline_draw(const struct window *w, struct grid *g, unsigned row);
/* The slices that a cell of a line of that width stands for; false: it stands for none. */
bool timeline_slices(const struct window *w, unsigned columns, unsigned column, uint32_t *ret_first, uint32_t *ret_last);
