/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers that unwinding follows, by their DWARF numbers, and what an architecture's calling
 * convention says about them. Another architecture is another `struct unwind_arch`. */
#pragma once
#include <stdint.h>

#define UNWIND_REGS 33 /* enough for arm64; x86-64 uses 17 */

struct unwind_arch {
	uint16_t machine;         /* ELF e_machine */
	uint8_t registers;        /* that many are followed, numbers 0.. */
	uint8_t sp, fp, ip;       /* ip: the column that DWARF calls the return address */
	uint8_t red_zone;         /* bytes below sp that belong to the leaf function */
	uint64_t preserved;       /* bit set: a function restores it before it returns */
};

enum unwind_x86_64 {
	UNWIND_RAX, UNWIND_RDX, UNWIND_RCX, UNWIND_RBX, UNWIND_RSI, UNWIND_RDI, UNWIND_RBP, UNWIND_RSP,
	UNWIND_R8, UNWIND_R9, UNWIND_R10, UNWIND_R11, UNWIND_R12, UNWIND_R13, UNWIND_R14, UNWIND_R15,
	UNWIND_RIP, UNWIND_X86_64_REGS,
};

extern const struct unwind_arch unwind_arch_x86_64;

struct unwind_regs {
	uint64_t value[UNWIND_REGS];
	uint64_t known; /* bit n: value[n] is what the register held */
};

static inline void unwind_regs_set(struct unwind_regs *r, unsigned reg, uint64_t value)
{
	r->value[reg] = value;
	r->known |= 1ull << reg;
}
