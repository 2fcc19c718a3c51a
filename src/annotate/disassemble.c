// SPDX-License-Identifier: BSD-2-Clause
#include "disassemble.h"

#include <capstone/capstone.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "mem.h"

struct machine {
	const char *name; /* as uname(2) says it */
	cs_arch arch;
	cs_mode mode;
	uint32_t step;     /* where the next instruction may begin after bytes that are none */
	const char *data;  /* how such bytes are called */
	bool (*target)(const cs_insn *insn, uint64_t *ret);
};

static bool x86_target(const cs_insn *insn, uint64_t *ret)
{
	const cs_x86 *x86 = &insn->detail->x86;

	if (x86->op_count != 1 || x86->operands[0].type != X86_OP_IMM)
		return false;
	*ret = (uint64_t)x86->operands[0].imm;
	return true;
}

/* cbz and tbz have the register and the bit before it. */
static bool arm64_target(const cs_insn *insn, uint64_t *ret)
{
	const cs_arm64 *arm64 = &insn->detail->arm64;

	if (!arm64->op_count || arm64->operands[arm64->op_count - 1].type != ARM64_OP_IMM)
		return false;
	*ret = (uint64_t)arm64->operands[arm64->op_count - 1].imm;
	return true;
}

static const struct machine machines[] = {
	{"x86_64", CS_ARCH_X86, CS_MODE_64, 1, ".byte", x86_target},
	{"aarch64", CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, 4, ".inst", arm64_target},
};

static const struct machine *machine_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (!strcmp(machines[i].name, name))
			return &machines[i];
	return NULL;
}

static bool branches(csh handle, const cs_insn *insn)
{
	static const unsigned groups[] = {CS_GRP_JUMP, CS_GRP_CALL, CS_GRP_BRANCH_RELATIVE};

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (cs_insn_group(handle, insn, groups[i]))
			return true;
	/* Not in every version's groups. */
	return !strcmp(insn->mnemonic, "bl");
}

static void add_instruction(struct annotation *a, struct annotated *row, const struct machine *m, csh handle,
			    const cs_insn *insn)
{
	row->size = insn->size;
	row->mnemonic = arena_strndup(a->memory, insn->mnemonic, strlen(insn->mnemonic));
	row->operands = arena_strndup(a->memory, insn->op_str, strlen(insn->op_str));
	row->target.known = branches(handle, insn) && m->target(insn, &row->target.address);
}

static void add_data(struct annotation *a, struct annotated *row, const struct machine *m, size_t left)
{
	char text[3 + 2 * 4];
	size_t len = 0;

	row->size = left < m->step ? (uint32_t)left : m->step;
	/* The first byte is the lowest of a word. */
	for (uint32_t i = row->size; i-- > 0;)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%02x", len ? "" : "0x", row->bytes[i]);
	row->mnemonic = row->size < m->step ? ".byte" : m->data;
	row->operands = arena_strndup(a->memory, text, len);
}

int disassemble(struct annotation *a, const uint8_t *code, size_t len, bool intel)
{
	const struct machine *m = machine_named(a->machine);
	size_t capacity = 0;
	csh handle;

	if (!m)
		return failx(-ENOTSUP, "instructions of x86_64 and aarch64 are known, not of %s", a->machine);
	if (cs_open(m->arch, m->mode, &handle) != CS_ERR_OK)
		return failx(-ENOMEM, "set up the disassembler");
	cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
	if (m->arch == CS_ARCH_X86 && !intel)
		cs_option(handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	cs_insn *insn = cs_malloc(handle);
	for (size_t at = 0; insn && at < len;) {
		const uint8_t *next = code + at;
		size_t left = len - at;
		uint64_t address = a->address + at;

		GROW(a->rows, a->count, capacity);
		struct annotated *row = &a->rows[a->count++];
		*row = (struct annotated){.address = address, .bytes = code + at};
		if (cs_disasm_iter(handle, &next, &left, &address, insn) && insn->size)
			add_instruction(a, row, m, handle, insn);
		else
			add_data(a, row, m, len - at);
		at += row->size;
	}
	if (insn)
		cs_free(insn, 1);
	cs_close(&handle);
	return 0;
}
