/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the time goes in which threads are held up: each wait followed along those who end it (src/store/wait_chain.h),
 * added up by threads of one name. Waits whose chain ends with somebody who waits for work are left out: nobody is held
 * up there; and those of which nobody knows how they ended, as of threads that nothing wakes. Names come from other processes: escape them where they are shown. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct arena;
struct store;

/* Threads of one process with one name; numbers at its end do not count. */
struct explained_group {
	uint32_t process, pid, threads; /* process: its id in the recording */
	const char *comm, *process_comm;
	double own_ns;  /* of its waits: all of them */
	double held_ns; /* of others' waits that end here: because of what it does or waits for */
	uint32_t waiters; /* groups that these belong to */
};

enum explained_end {
	ENDS_RUNNING, /* the last one runs */
	ENDS_WAITING, /* it waits for what no thread brings: see `cause` */
	ENDS_QUEUED,  /* it waits for a CPU */
};

enum { EXPLAINED_HOPS = 12 };

struct explained_row {
	uint32_t hops[EXPLAINED_HOPS]; /* groups: the one whose wait this is, ... the one where it ends */
	size_t hop_count;
	enum explained_end end;
	const char *cause;    /* of ENDS_WAITING: "disk", "sleep", ...; else "" */
	const char *function; /* of the last one: what it runs, or waits in; "" if not known */
	double ns;
};

struct explained {
	struct explained_group *groups;
	size_t group_count, group_capacity;
	struct explained_row *rows; /* most time first */
	size_t row_count, row_capacity;
	uint32_t *knots; /* groups that hold up others, the worst first */
	size_t knot_count;
	double ns;       /* of all waits here */
	struct arena *memory;
};

int explained_new(struct store *s, struct explained **ret_explained);
void explained_free(struct explained *e); /* NULL is fine */

/* Of the time in which the threads of process `pid` are held up, the share that goes through threads of process
 * `through`: 0..1. Processes are those with the pid that live or lived last. */
double explained_share(const struct explained *e, uint32_t pid, uint32_t through);

DEFINE_CLEANUP(struct explained *, explained_free)
