/* SPDX-License-Identifier: BSD-2-Clause */
/* Deadlocks of the processes that are being recorded, as events of the recording. */
#pragma once

struct store;

/* Before the last slice is closed: processes with threads that have waited for locks for long are looked at,
 * and each cycle of them becomes an event "deadlock" (docs/recording.md). What cannot be looked at is left out. */
void deadlock_record(struct store *s);
