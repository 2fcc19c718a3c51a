/* SPDX-License-Identifier: BSD-2-Clause */
/* From a captured (registers, stack bytes, mappings) triple to a call stack.
 *
 * Pure computation on hostile bytes: no system calls, no allocation, bounded time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwind_regs.h"
#include "unwind_table.h"

#define UNWIND_FRAMES_MAX 1024

enum unwind_code {
	UNWIND_CODE_UNKNOWN, /* executable, but of a file that could not be read */
	UNWIND_CODE_MODULE,  /* of an ELF file or the vDSO */
	UNWIND_CODE_JIT,     /* generated at run time: anonymous memory, code caches */
};

/* An executable mapping. */
struct unwind_mapping {
	uint64_t start, end;
	enum unwind_code code;
	/* UNWIND_CODE_MODULE: NULL while the table is being built, which ends the stack. A table
	 * without rows says that the module has none: then frame pointers are followed. */
	const struct unwind_table *table;
	uint64_t bias; /* from unwind_table_bias() */
};

/* A copied piece of stack. Bytes below the stack pointer that the convention reserves (red zone)
 * should be included: functions that are about to return have their saved registers there. */
struct unwind_stack {
	uint64_t start;
	const void *bytes;
	size_t len;
};

struct unwind_input {
	const struct unwind_arch *arch;
	struct unwind_regs regs;
	const struct unwind_stack *stacks; /* the one that sp points into; others (the one that was */
	size_t stack_count;                /* left for a signal stack) in any order */
	const struct unwind_mapping *mappings; /* ordered by address, without overlaps */
	size_t mapping_count;
};

enum unwind_status {
	UNWIND_COMPLETE,   /* the thread's outermost frame was reached */
	UNWIND_TRUNCATED,  /* the frames are right, their callers are not known: see `reason` */
	UNWIND_UNREADABLE, /* no registers or no stack bytes */
};

enum unwind_reason {
	UNWIND_REASON_NONE,
	UNWIND_REASON_COPY_ENDED,     /* the stack goes on behind the copied bytes */
	UNWIND_REASON_OTHER_STACK,    /* the stack goes on in memory at `missing`, elsewhere */
	UNWIND_REASON_NO_MAPPING,     /* code at an address where no executable mapping is known */
	UNWIND_REASON_NO_TABLE,       /* the module's table is not there (yet) */
	UNWIND_REASON_NO_ROW,         /* neither a row nor a plausible frame pointer */
	UNWIND_REASON_NO_FP,          /* generated code that keeps no frame pointer */
	UNWIND_REASON_DEPTH,          /* more than UNWIND_FRAMES_MAX frames */
	UNWIND_REASON_BAD_CFA,        /* the frame would not lie above its callee's */
	UNWIND_REASON_UNSUPPORTED,    /* frame information that cannot be evaluated */
	UNWIND_REASONS,
};

struct unwind_output {
	enum unwind_status status;
	enum unwind_reason reason; /* when truncated */
	uint64_t missing;          /* COPY_ENDED, OTHER_STACK: the address that was wanted */
	uint32_t count;            /* of frames, leaf first */
	uint32_t by_fp;            /* how many of the steps to a caller took the frame pointer */
	uint64_t ip[UNWIND_FRAMES_MAX];
	/* The address was executing or interrupted; else it is a return address, whose call ends
	 * just before it. */
	bool exact[UNWIND_FRAMES_MAX];
};

/* The address to look a frame's symbol and source line up with. */
static inline uint64_t unwind_lookup_ip(const struct unwind_output *out, uint32_t frame)
{
	return out->exact[frame] ? out->ip[frame] : out->ip[frame] - 1;
}

void unwind_stack(const struct unwind_input *in, struct unwind_output *out);

/* In words, for reports: "stack copy ended", ...; never NULL. */
const char *unwind_reason_text(enum unwind_reason reason);
