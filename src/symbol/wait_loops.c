// SPDX-License-Identifier: BSD-2-Clause
#include "wait_loops.h"

#include <capstone/capstone.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "mem.h"
#include "text.h"

enum {
	LOOP_BYTES = 128,   /* longer ones do something */
	TRY_BYTES = 48,     /* ... without a pause in it */
	LOADS = 2,          /* a place in memory, and where that is; a reader that tries again after a change has more */
	GENERATED_LOADS = 6, /* and what a runtime adds to each round: a look at its own wishes, at a length, at a type */
	SMALL_FUNCTION = 64, /* bytes: one with a pause is part of another's loop */
	REGISTERS = 512,    /* more than either machine has names for */
};

/* What matters of an instruction. */
struct step {
	uint64_t address, target; /* target 0: no direct jump */
	uint16_t size;
	bool pauses, exchanges, loads, stores, calls;
	uint8_t read_count, written_count;
	uint16_t read[16], written[16];
};

#ifdef __aarch64__
#define MACHINE CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN
enum { FLAGS = ARM64_REG_NZCV };

static bool pauses(const cs_insn *i)
{
	return !strcmp(i->mnemonic, "yield") || !strcmp(i->mnemonic, "wfe") || !strcmp(i->mnemonic, "isb");
}

static bool exchanges(const cs_insn *i)
{
	return starts_with(i->mnemonic, "swp") || starts_with(i->mnemonic, "cas");
}

static void look_at_memory(const cs_insn *i, struct step *s)
{
	const cs_arm64 *arm64 = &i->detail->arm64;

	for (uint8_t k = 0; k < arm64->op_count; k++) {
		if (arm64->operands[k].type != ARM64_OP_MEM)
			continue;
		s->loads |= starts_with(i->mnemonic, "ld");
		s->stores |= !starts_with(i->mnemonic, "ld");
	}
}

static uint64_t target(const cs_insn *i)
{
	const cs_arm64 *arm64 = &i->detail->arm64;
	uint8_t n = arm64->op_count;

	return n && arm64->operands[n - 1].type == ARM64_OP_IMM ? (uint64_t)arm64->operands[n - 1].imm : 0;
}

static uint16_t whole(csh handle, uint16_t reg)
{
	const char *name = cs_reg_name(handle, reg);

	/* w3 is a part of x3. */
	return name && name[0] == 'w' && name[1] >= '0' && name[1] <= '9' ?
		(uint16_t)(ARM64_REG_X0 + strtoul(name + 1, NULL, 10)) : reg;
}
#else
#define MACHINE CS_ARCH_X86, CS_MODE_64
enum { FLAGS = X86_REG_EFLAGS };

static bool pauses(const cs_insn *i)
{
	return i->id == X86_INS_PAUSE;
}

static bool touches_memory(const cs_insn *i)
{
	const cs_x86 *x86 = &i->detail->x86;

	for (uint8_t k = 0; k < x86->op_count; k++)
		if (x86->operands[k].type == X86_OP_MEM)
			return true;
	return false;
}

static bool exchanges(const cs_insn *i)
{
	switch (i->id) {
	case X86_INS_XCHG:
	case X86_INS_CMPXCHG:
	case X86_INS_BTS:
		return touches_memory(i);
	default:
		return false;
	}
}

static void look_at_memory(const cs_insn *i, struct step *s)
{
	const cs_x86 *x86 = &i->detail->x86;

	for (uint8_t k = 0; k < x86->op_count; k++) {
		if (x86->operands[k].type != X86_OP_MEM || i->id == X86_INS_LEA || i->id == X86_INS_NOP)
			continue;
		/* Not every version says how a comparison uses its operands: those that write are not among them. */
		s->stores |= x86->operands[k].access & CS_AC_WRITE && i->id != X86_INS_CMP && i->id != X86_INS_TEST;
		s->loads = true;
	}
}

static uint64_t target(const cs_insn *i)
{
	const cs_x86 *x86 = &i->detail->x86;

	return x86->op_count == 1 && x86->operands[0].type == X86_OP_IMM ? (uint64_t)x86->operands[0].imm : 0;
}

/* al, ax and eax are parts of rax. */
static uint16_t whole(csh handle, uint16_t reg)
{
#define LETTER(x) [X86_REG_##x##L] = X86_REG_R##x##X, [X86_REG_##x##H] = X86_REG_R##x##X, \
	[X86_REG_##x##X] = X86_REG_R##x##X, [X86_REG_E##x##X] = X86_REG_R##x##X
#define WORD(x) [X86_REG_##x##L] = X86_REG_R##x, [X86_REG_##x] = X86_REG_R##x, [X86_REG_E##x] = X86_REG_R##x
#define NUMBER(n) [X86_REG_R##n##B] = X86_REG_R##n, [X86_REG_R##n##W] = X86_REG_R##n, [X86_REG_R##n##D] = X86_REG_R##n
	static const uint16_t wholes[X86_REG_ENDING] = {
		LETTER(A), LETTER(B), LETTER(C), LETTER(D), WORD(SI), WORD(DI), WORD(BP),
		NUMBER(8), NUMBER(9), NUMBER(10), NUMBER(11), NUMBER(12), NUMBER(13), NUMBER(14), NUMBER(15),
	};

	return reg < X86_REG_ENDING && wholes[reg] ? wholes[reg] : reg;
#undef LETTER
#undef WORD
#undef NUMBER
}
#endif

static void look_at_registers(csh handle, const cs_insn *i, struct step *s)
{
	cs_regs read, written;
	uint8_t reads = 0, writes = 0;

	if (cs_regs_access(handle, i, read, &reads, written, &writes) != CS_ERR_OK) {
		s->stores = true; /* unknown: nothing is said of its loop */
		return;
	}
	for (uint8_t k = 0; k < reads && s->read_count < ARRAY_SIZE(s->read); k++)
		if (read[k] != FLAGS)
			s->read[s->read_count++] = whole(handle, read[k]);
	for (uint8_t k = 0; k < writes && s->written_count < ARRAY_SIZE(s->written); k++)
		if (written[k] != FLAGS)
			s->written[s->written_count++] = whole(handle, written[k]);
}

static struct step look(csh handle, const cs_insn *i)
{
	struct step s = {.address = i->address, .size = i->size, .pauses = pauses(i), .exchanges = exchanges(i)};

	s.calls = cs_insn_group(handle, i, CS_GRP_CALL) || cs_insn_group(handle, i, CS_GRP_RET) ||
		  cs_insn_group(handle, i, CS_GRP_INT);
	if (cs_insn_group(handle, i, CS_GRP_JUMP))
		s.target = target(i);
	look_at_memory(i, &s);
	look_at_registers(handle, i, &s);
	return s;
}

/* A register that is read as the round before left it carries something on: a count, a sum, a place. */
static bool carries(const struct step *steps, size_t count)
{
	bool written[REGISTERS] = {0}, left[REGISTERS] = {0};

	for (size_t i = 0; i < count; i++) {
		for (uint8_t k = 0; k < steps[i].read_count; k++)
			if (steps[i].read[k] < REGISTERS && !written[steps[i].read[k]])
				left[steps[i].read[k]] = true;
		for (uint8_t k = 0; k < steps[i].written_count; k++)
			if (steps[i].written[k] < REGISTERS)
				written[steps[i].written[k]] = true;
	}
	for (size_t r = 0; r < REGISTERS; r++)
		if (written[r] && left[r])
			return true;
	return false;
}

/* The steps of a loop, from where the last one jumps to. */
static bool waits(const struct step *steps, size_t count, unsigned most_loads, uint32_t *ret_kind)
{
	uint64_t bytes = steps[count - 1].address + steps[count - 1].size - steps[0].address;
	bool pauses = false, exchanges = false, stores = false;
	unsigned loads = 0;

	for (size_t i = 0; i < count; i++) {
		if (steps[i].calls)
			return false;
		pauses |= steps[i].pauses;
		exchanges |= steps[i].exchanges;
		loads += steps[i].loads;
		stores |= steps[i].stores;
	}
	*ret_kind = pauses ? WAIT_LOOP_PAUSE : exchanges ? WAIT_LOOP_EXCHANGE : WAIT_LOOP_LOAD;
	if (pauses || bytes > TRY_BYTES)
		return pauses; /* LOOP_BYTES at the most, as all that come here */
	return exchanges || (loads && loads <= most_loads && !stores && !carries(steps, count));
}

static size_t find(const struct step *steps, size_t count, struct wait_loop *loops)
{
	size_t found = 0;

	for (size_t i = 0; i < count && found < WAIT_LOOPS_MOST; i++) {
		uint64_t end = steps[i].address + steps[i].size;
		size_t first = i;

		if (!steps[i].target || steps[i].target > steps[i].address || end - steps[i].target > LOOP_BYTES)
			continue;
		while (first && steps[first].address > steps[i].target)
			first--;
		if (steps[first].address == steps[i].target && waits(steps + first, i + 1 - first, LOADS, &loops[found].kind)) {
			loops[found].start = steps[first].address;
			loops[found++].end = end;
		}
	}
	return found;
}

/* A function so small that its whole is somebody's pause. */
static size_t small_pause(const struct step *steps, size_t count, uint64_t start, size_t size, struct wait_loop *loops)
{
	for (size_t i = 0; size <= SMALL_FUNCTION && i < count; i++)
		if (steps[i].pauses) {
			loops[0] = (struct wait_loop){.start = start, .end = start + size, .kind = WAIT_LOOP_PAUSE};
			return 1;
		}
	return 0;
}

static size_t disassemble(const void *code, size_t size, uint64_t start, struct step **ret_steps)
{
	struct step *steps = NULL;
	size_t count = 0, capacity = 0, left = size;
	const uint8_t *at = code;
	uint64_t address = start;
	csh handle;

	*ret_steps = NULL;
	if (cs_open(MACHINE, &handle) != CS_ERR_OK)
		return 0;
	cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
	cs_insn *insn = cs_malloc(handle);
	while (insn && cs_disasm_iter(handle, &at, &left, &address, insn)) {
		GROW(steps, count, capacity);
		steps[count++] = look(handle, insn);
	}
	if (insn)
		cs_free(insn, 1);
	cs_close(&handle);
	*ret_steps = steps;
	return count;
}

size_t wait_loops_find(const void *code, size_t size, uint64_t start, struct wait_loop loops[WAIT_LOOPS_MOST])
{
	_cleanup_free_ struct step *steps = NULL;
	size_t count = disassemble(code, size, start, &steps);

	memset(loops, 0, WAIT_LOOPS_MOST * sizeof(*loops));
	size_t found = find(steps, count, loops);
	return found ? found : small_pause(steps, count, start, size, loops);
}

/* Does a loop go from there to the end of a jump? */
static bool is_loop(const void *code, size_t size, uint64_t start, struct wait_loop *loop)
{
	_cleanup_free_ struct step *steps = NULL;
	size_t count = disassemble((const uint8_t *)code + (loop->start - start), size - (loop->start - start), loop->start, &steps);

	for (size_t i = 0; i < count; i++)
		if (steps[i].address + steps[i].size == loop->end)
			return steps[i].target == loop->start && waits(steps, i + 1, GENERATED_LOADS, &loop->kind);
	return false;
}

size_t wait_loops_around(const void *code, size_t size, uint64_t start, uint64_t at, struct wait_loop *ret_loop)
{
	_cleanup_free_ struct step *steps = NULL;
	size_t count = disassemble((const uint8_t *)code + (at - start), size - (at - start), at, &steps);

	for (size_t i = 0; i < count; i++) {
		struct wait_loop loop = {.start = steps[i].target, .end = steps[i].address + steps[i].size};

		if (loop.start < start || loop.start > at || loop.end - loop.start > LOOP_BYTES)
			continue;
		*ret_loop = loop;
		return is_loop(code, size, start, ret_loop);
	}
	return 0;
}
