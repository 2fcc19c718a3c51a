/* SPDX-License-Identifier: BSD-2-Clause */
/* Waits with those who ended them on top, hop by hop: for the other files of this floor. */
#pragma once
#include "recorded.h"

/* The same as flame_add_recording(), of PROFILE_WAKEUP. */
int flame_add_chains(struct flame *f, enum flame_side side, struct store *s, bool idle, struct recorded *ret_recorded);
