/* SPDX-License-Identifier: BSD-2-Clause */
/* Deadlocks of the processes that are being recorded, and what holds up services that do not answer, as events of the recording. */
#pragma once

struct store;

/* Before the last slice is closed: processes with threads that have waited for locks for long are looked at,
 * and each cycle of them becomes an event "deadlock" (docs/recording.md). What cannot be looked at is left out. */
void deadlock_record(struct store *s);

/* The same for processes in whose sockets requests lie unread while they send nothing: what their threads wait for becomes an
 * event "unanswered". */
void unanswered_record(struct store *s);

/* Who has no room in a Unix socket's queue, which nobody empties: each thread that waits to connect becomes an event "shut.out". */
void shut_out_record(struct store *s);
