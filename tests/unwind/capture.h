/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures (registers, stack bytes, mappings) of a thread that is stopped under ptrace. */
#pragma once
#include <sys/types.h>

#include "unwind.h"

struct capture_module {
	char *path; /* "[vdso]" too */
	struct unwind_table *table;
};

struct capture {
	pid_t pid;
	struct unwind_input input;
	struct unwind_stack stacks[2];
	struct unwind_mapping *mappings;
	const char **names; /* of the mappings */
	size_t mapping_count, mapping_capacity;
	struct capture_module *modules;
	size_t module_count, module_capacity;
};

int capture_new(pid_t pid, struct capture **ret_capture); /* reads mappings, builds tables */
void capture_free(struct capture *c);
/* Registers and at most `max` bytes of the stack from the red zone up. */
int capture_take(struct capture *c, pid_t tid, size_t max);
/* A second piece of stack: from `address` to the end of its mapping, at most `max` bytes. */
int capture_more(struct capture *c, uint64_t address, size_t max);
bool capture_is_vdso(const struct capture *c, uint64_t address);

/* The same thread unwound by libdw: addresses, leaf first; the count. */
struct oracle;
struct oracle *oracle_new(pid_t pid);
void oracle_free(struct oracle *o);
size_t oracle_frames(struct oracle *o, pid_t tid, uint64_t *ip, size_t max);
const char *oracle_name(struct oracle *o, uint64_t address); /* NULL when unknown */

DEFINE_CLEANUP(struct capture *, capture_free)
DEFINE_CLEANUP(struct oracle *, oracle_free)
