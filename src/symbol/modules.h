/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parent knows about each module: how to find its file again, and how it has fared. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol.h"
#include "symbolizer.h"

enum { STRIKES_MAX = 2, MODULE_SEEN = 16 };

struct module {
	enum module_kind kind;
	struct symbol_mapping mapping; /* with its own copy of the path; empty is the vDSO */
	int fd;                /* opened, and not yet with a child; -1 */
	int64_t size, mtime_ns; /* of the file when it was opened; size -1: never opened */
	uint64_t seen[MODULE_SEEN]; /* pid and where it is mapped, of the last processes that were found to have this file, round and round */
	uint8_t seen_next;
	bool with_child;       /* the child that runs has it, */
	uint64_t asked_ns;     /* and was asked about it last */
	uint64_t retry_ns;     /* it could not be opened: not again before */
	uint8_t strikes;       /* children that died over it */
	uint8_t unwind_strikes; /* the same, of those that unwind */
	uint8_t build_id[BUILD_ID_MAX];
	uint32_t build_id_len;
	uint32_t used;         /* in which period, that is between two calls of modules_forget_unused() */
};

struct modules;

struct modules *modules_new(struct symbolizer_stats *stats);
void modules_free(struct modules *m);
/* Each returns the id. */
uint32_t modules_kernel(struct modules *m);
uint32_t modules_vdso(struct modules *m);
uint32_t modules_perf_map(struct modules *m, pid_t pid);
uint32_t modules_elf(struct modules *m, const struct symbol_mapping *mapping);
uint32_t modules_python(struct modules *m, const struct symbol_mapping *mapping);
uint32_t modules_marks(struct modules *m, const struct symbol_mapping *mapping);
void modules_lost(struct modules *m); /* the child is gone, and what it had */
struct module *modules_next(const struct modules *m, size_t *cursor, uint32_t *ret_id); /* as map_next() */
void modules_use(struct modules *m, uint32_t id);
/* Those that were not looked for or used since the last time, and are not with a child. Their ids are not used again. */
void modules_forget_unused(struct modules *m);
void modules_forget_process(struct modules *m, pid_t pid);
struct module *modules_get(const struct modules *m, uint32_t id); /* NULL: no such id */

bool module_usable(const struct module *module); /* may still be asked */
/* Its file, now the caller's; negative errno if there is none, for now or for ever. */
int modules_take_fd(struct modules *m, struct module *module);
/* Another descriptor of its file, which stays. */
int modules_copy_fd(const struct module *module);
/* A debug file that the child wants: a descriptor or a negative errno. */
int module_open_wanted(const struct module *module, uint32_t kind, const char *name, size_t len);

DEFINE_CLEANUP(struct modules *, modules_free)
