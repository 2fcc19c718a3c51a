/* SPDX-License-Identifier: BSD-2-Clause */
/* Call frame information (.eh_frame, .debug_frame) into rows. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwind_builder.h"

struct cfi_section {
	const uint8_t *data; /* NULL: the file has none */
	size_t size;
	uint64_t address; /* where it is loaded, for pc-relative pointers */
	bool eh;          /* .eh_frame's dialect, not .debug_frame's */
	bool open_ended;  /* the terminator is its end, not the size */
};

/* Where two sections describe the same code, the earlier section counts. */
int cfi_build(const struct unwind_arch *arch, const struct cfi_section *sections, size_t count,
	      struct unwind_builder *b);
