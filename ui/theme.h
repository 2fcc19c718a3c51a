/* SPDX-License-Identifier: BSD-2-Clause */
/* How styles look: by the number of colours, on dark and on light backgrounds. */
#pragma once
#include <stdint.h>

#include "grid.h"

enum { LOOK_BOLD = 1, LOOK_DIM = 2, LOOK_REVERSE = 4, LOOK_UNDERLINE = 8 };

struct look {
	int foreground, background; /* the terminal's number for the colour; -1: its default */
	unsigned attributes;
};

/* `colours` as the terminal says it: below 8 none are used, above 256 numbers are 0xRRGGBB. */
struct look theme_look(enum style style, int colours, bool light);
/* The background is light, as far as the environment tells (COLORFGBG). */
bool theme_is_light(void);
/* One character of ASCII for a cell, where the terminal has no more. */
char theme_ascii(const char *text);
