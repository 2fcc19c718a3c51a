/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines below every screen: which screens there are, and what keys do. */
#pragma once
#include "screen.h"

/* `said` stands there instead of the keys; "" is nothing. Returns the rows used. */
unsigned footer_draw(const struct screen_context *c, const struct screen *shown, const char *said, struct grid *g);
