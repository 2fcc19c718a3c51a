/* SPDX-License-Identifier: BSD-2-Clause */
/* What the pmu probe can count. */
#pragma once

/* Are these such events: names with commas between them? Negative errno with a message. */
int pmu_events_check(const char *names);
