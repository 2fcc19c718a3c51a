/* SPDX-License-Identifier: BSD-2-Clause */
/* Filling a recording. Ids are chosen by the writer: dense, from 1; 0 means none and is stored as NULL.
 * Times are nanoseconds since the recording's start. Nothing here fails at once: the first error
 * is kept and returned by store_commit(), so that a full disk is met in one place. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

enum process_flag { PROCESS_KERNEL = 1, PROCESS_OWN = 2 };

struct process_row {
	uint32_t id, pid, ppid, cgroup;
	const char *comm, *command, *exe; /* command and exe may be NULL */
	uint64_t start_ns, end_ns;        /* 0: before the recording; UINT64_MAX as end: still there */
	int exit_status;                  /* as from wait(2); -1 unknown */
	uint32_t flags;
};

struct task_row {
	uint32_t id, process, tid;
	const char *comm;
	uint64_t start_ns, end_ns; /* as in process_row */
};

struct sample_row {
	uint32_t slice, metric, task, stack, resource;
	uint64_t count;
	int64_t value; /* may shrink: < 0 */
};

struct edge_row {
	uint32_t slice, kind, task, stack, resource, other_task, other_stack;
	uint64_t count, ns;
};

/* From here on nothing personal is written: no command lines, no addresses of peers, and of paths below people's homes only
 * the last part (docs/security.md). */
void store_redact(struct store *s);

int store_begin(struct store *s);  /* one transaction a slice */
int store_commit(struct store *s); /* the first error since store_begin(), if any */

void store_set_text(struct store *s, const char *key, const char *value); /* meta */
void store_set_int(struct store *s, const char *key, int64_t value);

void store_add_slice(struct store *s, uint32_t id, uint64_t start_ns, uint64_t end_ns);
void store_add_metric(struct store *s, uint32_t id, const char *name, const char *unit, const char *help);
void store_add_cgroup(struct store *s, uint32_t id, const char *path);
void store_put_process(struct store *s, const struct process_row *row); /* a known id is replaced */
void store_put_task(struct store *s, const struct task_row *row);       /* likewise */
/* kind: kernel, elf, vdso, jit, python, unknown; a known id is replaced. */
void store_put_module(struct store *s, uint32_t id, const char *kind, const char *path,
		      const uint8_t *build_id, size_t build_id_len);
void store_add_mapping(struct store *s, uint32_t process, uint64_t start, uint64_t end, uint64_t offset,
		       uint32_t module, uint64_t since_ns);
void store_add_symbol(struct store *s, uint32_t id, uint32_t module, const char *name, const char *file,
		      uint64_t start, uint64_t size);
void store_add_frame(struct store *s, uint32_t id, uint32_t module, uint64_t address);
void store_name_frame(struct store *s, uint32_t frame, uint32_t symbol, uint32_t line);
/* A loop in a function's code that only waits: where, as in frames, and by what (pause, exchange, load). */
void store_add_wait_loop(struct store *s, uint32_t symbol, uint64_t start, uint64_t end, const char *kind);
/* The machine code of a function, from `address` on as in its module's frames; a known one is replaced. */
void store_add_code(struct store *s, uint32_t symbol, uint64_t address, const void *bytes, size_t len);
void store_add_inlined(struct store *s, uint32_t frame, uint32_t depth, uint32_t symbol, uint32_t line);
void store_add_stack(struct store *s, uint32_t id, uint32_t parent, uint32_t frame);
void store_add_resource(struct store *s, uint32_t id, const char *kind, const char *name); /* a known id is replaced */
void store_add_sample(struct store *s, const struct sample_row *row);
/* A state that lasts over whole slices: first..last, last 0 while it goes on. */
void store_add_span(struct store *s, uint32_t id, uint32_t first, uint32_t last, uint32_t metric,
		    uint32_t task, uint32_t stack, uint32_t resource);
void store_end_span(struct store *s, uint32_t id, uint32_t last);
void store_add_edge(struct store *s, const struct edge_row *row);
void store_add_histogram(struct store *s, uint32_t slice, uint32_t metric, uint32_t resource,
			 uint32_t bucket, uint64_t count);
void store_add_gauge(struct store *s, uint32_t slice, uint32_t metric, uint32_t resource, double value);
void store_add_event(struct store *s, uint64_t time_ns, const char *kind, uint32_t task, uint32_t resource,
		     int64_t value, const char *detail);
void store_add_unavailable(struct store *s, const char *probe, const char *reason);

/* Stacks with ids up to this one are not written again: the same ones get new rows. */
void store_end_stacks(struct store *s, uint32_t last);

/* For a live store that keeps the last minutes: forget all before this slice, who ended before it, and of the stacks that
 * have ended before it those that nothing is about. Rows are expected slice by slice, as they are written; it costs what is
 * forgotten, not what is kept. */
void store_prune(struct store *s, uint32_t first_slice);
bool store_is_pruned(const struct store *s);
uint32_t store_forgotten_stacks(const struct store *s); /* ids up to here: only those are left that rows are about */

/* Forgets those of the resources that no row is about, and puts their ids at the front, in order. Their number: from then
 * on an id may stand for something else. It costs a look at all rows. */
size_t store_forget_resources(struct store *s, uint32_t *ids, size_t count);
uint32_t store_forgotten_resources(const struct store *s); /* how often this was done */
