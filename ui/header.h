/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines above every screen: is the machine well? */
#pragma once
#include "screen.h"

/* Where the time line stands while time stands still. */
enum { TIMELINE_ROW = 1 };

struct header {
	const struct screen_context *context;
	const char *host, *kernel;
	uint64_t start_wall_ns; /* of the recording */
	uint64_t behind_ns;     /* how far the end of the window lies in the past */
	bool paused;
	bool partial; /* more of the past is being added up */
	enum header_detail { HEADER_TITLE, HEADER_BRIEF, HEADER_ALL } detail;
};

/* Draws from the top; returns the rows used, at most `rows`. */
unsigned header_draw(const struct header *h, struct grid *g, unsigned rows);
