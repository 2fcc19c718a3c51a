/* SPDX-License-Identifier: BSD-2-Clause */
/* CPython's own stack, read from the memory of a process that goes on meanwhile: nothing that is found there is trusted. The
 * kernel side does the same for the thread that runs (bpf/python.bpf.h). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pagemap.h"
#include "wire.h"

struct python_memory {
	pid_t reader; /* a thread that lives */
	struct pagemap *pages; /* the reader's: what would have to be waited for is not read. NULL: everything is */
	uint64_t until_ns; /* its threads are listed no longer than that; 0: to the end */
	struct python_process process;
};

bool python_memory_read(const struct python_memory *m, uint64_t address, void *to, size_t len);
uint64_t python_memory_word(const struct python_memory *m, uint64_t address); /* 0: not readable */

/* Each thread's state, and its thread's pthread_self(). */
typedef void python_memory_state(void *arg, uint64_t state, uint64_t self);
void python_memory_states(const struct python_memory *m, python_memory_state *each, void *arg);

/* The innermost frame of the thread with that state; 0: it has none. */
uint64_t python_memory_first(const struct python_memory *m, uint64_t state);

struct python_memory_frame {
	uint64_t code;        /* 0: it only stands between two runs of the interpreter's loop */
	uint32_t instruction; /* in units of two bytes; PYTHON_FRAME_NO_UNIT: not begun, or out of range */
	bool entry;           /* the outermost of a run of the loop */
};
/* The frame at *address, which becomes its caller's. */
bool python_memory_frame(const struct python_memory *m, uint64_t *address, struct python_memory_frame *ret);

/* Where a code object's name, file and table of lines are, and its first line. False: it is none. */
struct python_memory_code {
	uint64_t name, file, lines;
	uint32_t first_line;
};
bool python_memory_code(const struct python_memory *m, uint64_t code, struct python_memory_code *ret);
bool python_memory_text(const struct python_memory *m, uint64_t address, struct python_text *ret);
/* How long the bytes object is whose content begins at *address afterwards. */
bool python_memory_bytes(const struct python_memory *m, uint64_t *address, uint64_t *ret_len);
