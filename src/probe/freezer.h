/* SPDX-License-Identifier: BSD-2-Clause */
/* The freezer of cgroup v1: is a cgroup being frozen or thawed? Since 6.1 that changes the state of threads that sleep without
 * a switch (f5d39b020809, "freezer,sched: Rewrite core freezer logic"). */
#pragma once
#include <stdbool.h>

/* Tells of every write to a file of that hierarchy. Negative: there is none, or no right to watch it (CAP_SYS_ADMIN). */
int freezer_watch(void);

/* Has a cgroup's state been written since the last call? Never blocks; false for a negative descriptor. */
bool freezer_changed(int fd);
