/* SPDX-License-Identifier: BSD-2-Clause */
/* The records of a call frame information section: CIEs (common) and FDEs (one a function). */
#pragma once
#include "unwind_bytes.h"
#include "unwind_cfi.h"

struct cie {
	uint64_t offset; /* in its section */
	struct bytes code;
	uint64_t code_align;
	int64_t data_align;
	uint8_t pointer; /* DW_EH_PE_* of the FDEs' addresses */
	uint8_t address_size;
	uint8_t section;
	bool augmented;  /* FDEs carry augmentation data of stated length */
	bool signal;
};

struct fde {
	uint64_t start, end; /* the function's addresses */
	struct bytes code;
	uint32_t cie;     /* number in the list */
	uint8_t section;
};

struct cfi_entries {
	struct cie *cies;
	uint32_t cie_count, cie_capacity;
	struct fde *fdes;
	uint32_t fde_count, fde_capacity;
	uint32_t malformed; /* records that were left out */
};

/* Appends the FDEs of a section, each with an address in an executable segment of `b`. Section and
 * entries must outlive what is read from the entries. -EFBIG with a message: too many records. */
int cfi_entries_read(struct cfi_entries *e, const struct cfi_section *sections, uint8_t number,
		     const struct unwind_builder *b);
void cfi_entries_done(struct cfi_entries *e);

/* A pointer in DW_EH_PE_* encoding; false when malformed or of a kind that has no meaning here. */
bool cfi_pointer(struct bytes *in, const struct cfi_section *s, uint8_t encoding, uint64_t *ret);
