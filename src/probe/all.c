// SPDX-License-Identifier: BSD-2-Clause
/* The list of probes, from meson's. */
#include "probe.h"
#include "probes.h"

#define X(name) extern const struct probe probe_##name;
PROBES
#undef X

#define X(name) &probe_##name,
const struct probe *const all_probes[] = {PROBES NULL};
