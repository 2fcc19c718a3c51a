/* SPDX-License-Identifier: BSD-2-Clause */
/* Values with their unit, as people read them. */
#pragma once
#include "buf.h"

/* "1,234 samples", "1.23 s", "4.00 MiB"; `unit` as in struct flame_svg_options. */
void amount_add(struct buf *b, double value, const char *unit);

/* How it is done, for the script inside the picture: "FACTOR SUFFIX|...", largest first; one
 * with factor 0 is a plain word. */
void amount_add_scales(struct buf *b, const char *unit);
