/* SPDX-License-Identifier: BSD-2-Clause */
/* Waits that other processes take part in. */
#pragma once
#include "peer.h"
#include "waits.h"

/* Completes the wait of a thread of process `pid` for a file's lock, a pipe or a socket: what it is, which process must act, and
 * whether nobody else can. */
void other_end_find(struct peers *p, uint32_t pid, struct waiting *w, struct arena *memory);
