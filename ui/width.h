/* SPDX-License-Identifier: BSD-2-Clause */
/* How many cells of a terminal a character takes, whatever the locale. */
#pragma once

struct code_range {
	unsigned first, last;
};

/* Sorted; width_table.c is made by scripts/width_table.py. */
extern const struct code_range width_zero[], width_wide[];
extern const unsigned width_zero_count, width_wide_count;

/* 0 for marks that combine with the character before them, 2 for wide ones, else 1. */
unsigned code_width(unsigned code);
