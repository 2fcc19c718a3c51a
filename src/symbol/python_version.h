/* SPDX-License-Identifier: BSD-2-Clause */
/* Which version of CPython a file is, and where that one keeps its stacks: by the file's name, and by symbols that the
 * parser child reads (symbolizer_python()). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire.h"

struct symbol;
struct python_version;

enum python_place {
	PYTHON_RUNTIME,
	PYTHON_LOOP,
	PYTHON_CODE,
	PYTHON_UNICODE,
	PYTHON_BYTES,
	PYTHON_PLACES
};

/* Distances from where the file's first byte would be mapped. */
struct python_places {
	uint64_t at[PYTHON_PLACES];
	uint64_t loop_size;
};

/* NULL: it is none, or of a version that is not known. */
const struct python_version *python_version_of(const char *path);
uint8_t python_version_lines(const struct python_version *v); /* enum python_lines_format */
/* The symbolizer's answer. False: something is missing. */
bool python_places_note(struct python_places *p, const struct symbol *symbols, size_t count);
/* How to find frames in the process that has the file mapped, its first byte at `base`. False: it is built in a way that is
 * not understood. */
bool python_version_process(const struct python_version *v, const struct python_places *places, pid_t pid, uint64_t base,
			    struct python_process *ret);
