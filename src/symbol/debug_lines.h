/* SPDX-License-Identifier: BSD-2-Clause */
/* Source lines and inlined functions out of DWARF, through libdw. Child only. */
#pragma once
#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

struct debug_lines;

struct debug_frame {
	const char *function; /* mangled if it has a mangled name; NULL: unknown */
	const char *file;     /* NULL: unknown */
	uint32_t line;
};

typedef void debug_frame_handler(void *arg, const struct debug_frame *frame, bool inlined);

/* Of an image with debug info; both stay the caller's and must live longer. `alt` (for files that
 * dwz made smaller) may be NULL. NULL: no usable debug info. */
struct debug_lines *debug_lines_new(Elf *elf, Dwarf *alt);
void debug_lines_free(struct debug_lines *d);
/* Frames innermost first; without `inlined` only one. None if the address is in no unit. */
void debug_lines_find(struct debug_lines *d, uint64_t address, bool inlined,
		      debug_frame_handler *handler, void *arg);

DEFINE_CLEANUP(struct debug_lines *, debug_lines_free)
DEFINE_CLEANUP(Dwarf *, dwarf_end)
