/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPUs a thread may use. */
#pragma once
#include "cpus.h"

/* A list such as "0-3,8" of those of `online` that the thread may use, by its own mask and its cpuset. False: it may use all,
 * or there is no such thread any more. The caller frees the list. */
bool affinity_bound(uint32_t tid, const struct cpus *online, char **ret_list);
