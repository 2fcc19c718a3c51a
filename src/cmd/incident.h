/* SPDX-License-Identifier: BSD-2-Clause */
/* A folder that keeps what a diagnosis saw, to be attached to a ticket: recordings, flame graphs, dumps, findings. */
#pragma once
#include <stdint.h>

#include "buf.h"
#include "cleanup.h"
#include "recorded.h"

struct incident;
struct select_options;
struct store;

/* Makes the folder, mode 0700; one that is there must be empty (-ENOTEMPTY). */
int incident_new(const char *path, struct incident **ret_incident);
void incident_free(struct incident *i);

/* FOLDER/STEM.SUFFIX for something new; STEM-2.SUFFIX if that is taken, and so on. To be freed. */
char *incident_path(const struct incident *i, const char *stem, const char *suffix);
int incident_write(const struct incident *i, const char *stem, const char *suffix, const char *text);
/* The recording at `path`, as it is. */
int incident_copy(const struct incident *i, const char *path);
/* Of a process with its children, or of all (pid 0), in the time that is selected. Appends the file's path. -ENODATA when there is
 * nothing of the kind. */
int incident_flamegraph(const struct incident *i, struct store *s, const struct select_options *select, enum profile profile,
			uint64_t pid, struct buf *path);

DEFINE_CLEANUP(struct incident *, incident_free)
