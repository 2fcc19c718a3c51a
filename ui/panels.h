/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of the overview that are tables or lines of their own. */
#pragma once
#include "screen.h"
#include "table.h"

/* What each CPU does, in as many columns as fit; returns the lines used. */
unsigned panel_cpus(const struct window *w, struct grid *g, const struct area *a);
/* CPU, memory, disks and network, a line each, with their course over the last minutes; returns the lines used. */
unsigned panel_system(const struct screen_context *c, struct grid *g, const struct area *a);

/* The slice whose cell in one of these courses that is; 0: none. */
uint32_t panel_system_slice(const struct window *w, const struct area *a, unsigned row, unsigned column);
/* Percent of all CPUs' time that was used in the last slices up to one, the latest last. Returns how many. */
unsigned panel_cpu_course(const struct window *w, uint32_t last, double *values, unsigned most);

extern const struct column panel_finding_columns[], panel_resource_columns[], panel_component_columns[];
void panel_findings(const struct screen_context *c, struct table *t);
void panel_resources(const struct screen_context *c, struct table *t);
void panel_components(const struct screen_context *c, struct table *t);

/* The screen that tells more of such a resource ("disk", "memory", ...). */
const char *panel_resource_screen(const char *kind);
