/* SPDX-License-Identifier: BSD-2-Clause */
/* SQL that somebody else wrote: it may read, and for so long. */
#pragma once
#include "store_query.h"

/* One SELECT (or -EINVAL), which can change nothing and call nothing that leaves the database (-EACCES), and
 * ends with -ETIME when its rows took longer than most_ns. Other queries may not run between its
 * rows. On an error *ret_offset is where in the text it was met, -1 if that is not known. */
int query_new_guarded(struct store *s, const char *sql, uint64_t most_ns, struct query **ret_query,
		      int *ret_offset);

/* The same for a SELECT whose rows are to be kept: to be asked once, whereupon they are in the temporary table. */
int query_keep_guarded(struct store *s, const char *table, const char *sql, uint64_t most_ns, struct query **ret_query);
void query_drop_kept(struct store *s, const char *table); /* nothing, if it is not there */
