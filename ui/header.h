/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines above every screen: is the machine well? */
#pragma once
#include "ui.h"

struct header {
	const struct window *window;
	const char *host, *kernel;
	uint64_t start_wall_ns; /* of the recording */
	bool paused;
	const struct ui_finding *findings;
	size_t finding_count;
};

/* Draws from the top; returns the rows used, at most `rows`. */
unsigned header_draw(const struct header *h, struct grid *g, unsigned rows);
