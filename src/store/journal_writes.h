/* SPDX-License-Identifier: BSD-2-Clause */
/* SQLite writes each page of its write-ahead log with two system calls, one for its head, and a slice has some forty pages. Here
 * they are gathered until the transaction's last one: what comes before that nobody else reads. */
#pragma once
#include "cleanup.h"

struct journal_writes;

struct journal_writes *journal_writes_new(void); /* NULL: SQLite does not know its own system */
void journal_writes_free(struct journal_writes *j); /* after the connection has been closed */
const char *journal_writes_vfs(const struct journal_writes *j); /* to open a database with */

DEFINE_CLEANUP(struct journal_writes *, journal_writes_free)
