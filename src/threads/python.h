/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process's Python threads do: functions and lines, read from the memory of threads that keep still. */
#pragma once
#include "namer.h"
#include "python_merge.h"

struct python;

/* Of one thread, leaf first. */
struct python_trace {
	const struct python *python;
	const struct python_frame *frames; /* frame: 1, or 0 of a mark */
	const char **names, **sources;     /* "/path/file.py:12" */
	const uint64_t *addresses;         /* of the frames themselves */
	uint32_t depth;
	bool cut; /* outer frames are missing */
};

/* NULL: no CPython that is known runs there. Both must outlive it. */
struct python *python_new(struct namer *n, const struct space *s, struct arena *memory);
void python_free(struct python *p);

/* Of the thread with that number in its own namespace; in the arena. NULL: it runs no Python, or has changed. */
const struct python_trace *python_trace(struct python *p, uint32_t own_tid);

enum python_place_of python_place(const struct python *p, uint64_t address);
