/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot while it is taken. */
#pragma once
#include "goroutine.h"
#include "namer.h"
#include "raw.h"
#include "stack.h"
#include "threads.h"
#include "waits.h"

enum { MOST_PROCESSES = 16 }; /* that are looked at because somebody waits for them */

/* One thread while it is looked at. */
struct look {
	struct raw_thread raw;
	struct space *space;
	struct waiting waiting;
	struct stack stack;
	bool settled;      /* what was read belongs together */
	uint32_t variable; /* the lock's place, as the namer counts */
	bool has_variable;
	bool wakes;        /* now and then, for the same wait */
	bool goes_on;      /* with that wait, as was seen later */
};

struct taking {
	const struct threads_options *options;
	struct threads *result;
	struct raw_source *source; /* NULL: by /proc */
	struct namer *namer;
	struct stack_reader *stacks;
	struct peers *peers;
	uint32_t pids[MOST_PROCESSES];
	struct space *spaces[MOST_PROCESSES]; /* of the same index; NULL: cannot be read */
	struct python *pythons[MOST_PROCESSES]; /* likewise; NULL: it runs none */
	size_t process_count;
	struct look *looks;
	size_t count, capacity;
	struct goroutines goroutines; /* of the first process */
};

/* Who holds the locks that the threads from the first on wait for, from what their processes' memory says. */
void snapshot_find_owners(struct taking *k, size_t first);
/* Which process the thread is of that a lock names: a process-shared lock may be held elsewhere. */
void snapshot_find_process(const struct taking *k, struct look *look);
/* Whether those that wake now and then still wait for the same. */
void snapshot_look_at_owners_again(struct taking *k);
