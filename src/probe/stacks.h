/* SPDX-License-Identifier: BSD-2-Clause */
/* Captured addresses -> frames and stacks of the recording: each is interned and written once, and new
 * frames are handed to the symbolizer, whose answers are written when they come. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#include "marks.h"
#include "store_write.h"
#include "wire.h"

struct stacks;
struct kernel_text;
struct process;
struct tasks;
struct loop;

/* Pages are missing between those of its stack. */
static inline bool stack_has_gaps(const struct stack_capture *s)
{
	return s->present & (s->present + 1);
}

struct stacks_options {
	bool inlined; /* expand inlined functions where there is debug info */
	void *arg;    /* for stacks_done */
};

int stacks_new(struct store *s, const struct stacks_options *o, struct stacks **ret_stacks);
void stacks_free(struct stacks *st);

int stacks_fd(const struct stacks *st);       /* readable when names have come */
int stacks_dispatch(struct stacks *st);       /* takes them in */
void stacks_send(struct stacks *st);          /* copied stacks, to be unwound */
bool stacks_has_news(const struct stacks *st); /* of processes that have not been met: that should be soon */
void stacks_finish(struct stacks *st, uint64_t timeout_ns); /* waits for the names that are missing */

/* A mapping event or a line of /proc/PID/maps. */
struct stacks_mapping {
	uint64_t start, end, offset, inode;
	uint32_t major, minor;
	const char *path;
};
void stacks_map(struct stacks *st, struct process *p, const struct stacks_mapping *m);
void stacks_read_mappings(struct stacks *st, struct process *p); /* once, from /proc */

/* Names of variables: the answer to stacks_ask_variable(); name NULL: it has none; `start` of it
 * in the file. */
typedef void stacks_variable(void *arg, uint32_t what, const char *name, uint64_t start);
void stacks_name_variables(struct stacks *st, stacks_variable *answer, void *arg);
/* What is at an address of the process, in a file's mapping or the zeroed memory behind it. `what` below 2^30. */
void stacks_ask_variable(struct stacks *st, const struct process *p, const struct stacks_mapping *m, uint64_t address,
			 uint32_t what);

/* Marks of garbage collectors in files that are mapped, told as they are found: see marks.h. NULL: no more. */
void stacks_find_marks(struct stacks *st, bool selected, marks_found *found, void *arg);

void stacks_set_kernel(struct stacks *st, const struct kernel_text *text); /* borrowed */

struct python_code_record;
void stacks_set_python(struct stacks *st, int map_fd); /* the kernel side's map of processes that run CPython */
void stacks_python_code(struct stacks *st, struct process *p, const struct python_code_record *r);
/* What the kernel side knows of it. False: it runs no Python that is known. */
bool stacks_python_process(const struct stacks *st, const struct process *p, struct python_process *ret);
bool stacks_python_due(const struct stacks *st); /* it is being found out which processes do */
void stacks_python_end(struct stacks *st, struct process *p); /* the process has ended */

/* The process runs another program from now on: its generated code is not what it was. */
void stacks_forget(struct stacks *st, struct process *p);

/* What is done with a captured stack when it is known. `data` is a copy of what stacks_resolve() was
 * given; stack is 0 when nothing could be read. */
typedef void stacks_done(void *arg, const void *data, uint32_t stack);

/* Turns a capture into a stack of the recording: at once where frames were captured, after a while
 * where it must be unwound first. Either way done() is called exactly once, with the `arg` of stacks_options,
 * at the latest from stacks_finish(). At most STACKS_DATA_BYTES of data. */
enum { STACKS_DATA_BYTES = 64 };
void stacks_resolve(struct stacks *st, struct process *p, const struct stack_capture *capture, uint64_t now_ns,
		    stacks_done *done, const void *data, size_t data_len);

/* A CPU sample has this stack, as done() was told it: the code of functions with enough of them is kept. */
void stacks_sampled(struct stacks *st, uint32_t stack);

/* How the stacks of user code came out, since the start. */
struct stacks_truth {
	uint64_t complete, truncated, unreadable; /* of those unwound */
	uint64_t without_python;                  /* of the complete: the interpreter runs, but its frames were not found */
	uint64_t walked;                          /* by frame pointers in the kernel: nobody knows */
};
struct stacks_truth stacks_truth(const struct stacks *st);

/* Once a slice, before those who ended in it are forgotten: files that nobody has mapped or used for long. */
void stacks_forget_files(struct stacks *st, const struct tasks *tasks);
uint32_t stacks_unnamed(const struct stacks *st); /* frames still waiting for the symbolizer */
