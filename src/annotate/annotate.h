/* SPDX-License-Identifier: BSD-2-Clause */
/* A function's instructions out of a recording, with the CPU samples that each has under the current selection
 * (store_select()). Names, paths and files come from other processes: escape them where they are shown. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct store;

struct annotate_options {
	const char *symbol; /* the name, else what fits one only: without regard to case, then a part of it */
	const char *module; /* a part of the module's path; NULL: any */
	bool intel;         /* syntax of x86-64; else AT&T's */
};

struct annotated_target {
	uint64_t address;
	const char *name; /* NULL: not known, or within the function */
	bool known, inside;
};

struct annotated {
	uint64_t address;        /* as in the recording's frames: an offset in the file */
	const uint8_t *bytes;
	uint32_t size;
	const char *mnemonic;    /* ".byte", ".inst": no instruction */
	const char *operands;
	struct annotated_target target; /* of a direct call or jump */
	bool jumped_to;          /* from within the function */
	uint64_t samples, ns;
	const char *file;        /* of the source; NULL: unknown, as where there are no samples */
	uint32_t line;           /* 0: unknown */
};

struct annotation {
	const char *name, *module, *file; /* file NULL: unknown */
	const char *machine;              /* "x86_64", "aarch64" */
	uint64_t address, size;
	uint64_t samples, ns;             /* in the function itself, without what it called */
	uint64_t all_samples, all_ns;     /* of everything that is selected */
	struct annotated *rows;
	size_t count;
	struct arena *memory;
};

/* -ENOENT, -ENODATA, -ENOTUNIQ (with candidates) and others with a message. */
int annotation_new(struct store *s, const struct annotate_options *o, struct annotation **ret_annotation);
void annotation_free(struct annotation *a);

DEFINE_CLEANUP(struct annotation *, annotation_free)
