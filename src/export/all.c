// SPDX-License-Identifier: BSD-2-Clause
/* The list of exports, from meson's. */
#include "exporter.h"
#include "exporters.h"

#include <stddef.h>

#define X(name) extern const struct exporter exporter_##name;
EXPORTERS
#undef X

#define X(name) &exporter_##name,
const struct exporter *const all_exporters[] = {EXPORTERS NULL};
#undef X

#define X(name) #name,
const char *const exporter_names[] = {EXPORTERS NULL};
