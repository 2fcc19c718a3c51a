// SPDX-License-Identifier: BSD-2-Clause
#include "unwind_expr.h"

#include <dwarf.h>
#include <errno.h>

#include "unwind_bytes.h"

#define STACK 32
#define STEPS 512 /* jumps can go back */

enum operand {
	NOT_KNOWN, /* must be 0: what the table does not name */
	PLAIN, U1, S1, U2, S2, U4, S4, U8, S8, ULEB, SLEB, REG_SLEB,
};

static const uint8_t operands[256] = {
	[DW_OP_addr] = U8, [DW_OP_deref] = PLAIN,
	[DW_OP_const1u] = U1, [DW_OP_const1s] = S1, [DW_OP_const2u] = U2, [DW_OP_const2s] = S2,
	[DW_OP_const4u] = U4, [DW_OP_const4s] = S4, [DW_OP_const8u] = U8, [DW_OP_const8s] = S8,
	[DW_OP_constu] = ULEB, [DW_OP_consts] = SLEB,
	[DW_OP_dup] = PLAIN, [DW_OP_drop] = PLAIN, [DW_OP_over] = PLAIN, [DW_OP_pick] = U1,
	[DW_OP_swap] = PLAIN, [DW_OP_rot] = PLAIN,
	[DW_OP_abs] = PLAIN, [DW_OP_and] = PLAIN, [DW_OP_div] = PLAIN, [DW_OP_minus] = PLAIN,
	[DW_OP_mod] = PLAIN, [DW_OP_mul] = PLAIN, [DW_OP_neg] = PLAIN, [DW_OP_not] = PLAIN,
	[DW_OP_or] = PLAIN, [DW_OP_plus] = PLAIN, [DW_OP_plus_uconst] = ULEB, [DW_OP_shl] = PLAIN,
	[DW_OP_shr] = PLAIN, [DW_OP_shra] = PLAIN, [DW_OP_xor] = PLAIN,
	[DW_OP_bra] = S2, [DW_OP_skip] = S2,
	[DW_OP_eq] = PLAIN, [DW_OP_ge] = PLAIN, [DW_OP_gt] = PLAIN, [DW_OP_le] = PLAIN,
	[DW_OP_lt] = PLAIN, [DW_OP_ne] = PLAIN,
	[DW_OP_lit0 ... DW_OP_lit31] = PLAIN, [DW_OP_breg0 ... DW_OP_breg31] = SLEB,
	[DW_OP_bregx] = REG_SLEB, [DW_OP_deref_size] = U1, [DW_OP_nop] = PLAIN,
};

struct operation {
	uint8_t code;
	unsigned reg;      /* of breg* */
	uint64_t operand;  /* signed ones sign-extended */
};

static bool decode(struct bytes *in, struct operation *op)
{
	op->code = bytes_u8(in);
	op->operand = 0;
	op->reg = op->code >= DW_OP_breg0 && op->code <= DW_OP_breg31 ? op->code - DW_OP_breg0 : 0;
	switch ((enum operand)operands[op->code]) {
	case NOT_KNOWN:
		return false;
	case PLAIN:
		break;
	case U1: case U2: case U4: case U8:
	case S1: case S2: case S4: case S8: {
		unsigned kind = operands[op->code] - U1;
		size_t size = (size_t)1 << kind / 2;

		op->operand = kind % 2 ? (uint64_t)bytes_signed(in, size) : bytes_unsigned(in, size);
		break;
	}
	case ULEB:
		op->operand = bytes_uleb(in);
		break;
	case REG_SLEB: {
		uint64_t reg = bytes_uleb(in);

		op->reg = reg < UNWIND_REGS ? (unsigned)reg : UNWIND_REGS;
		op->operand = (uint64_t)bytes_sleb(in);
		break;
	}
	case SLEB:
		op->operand = (uint64_t)bytes_sleb(in);
		break;
	}
	return !in->bad;
}

bool unwind_expr_check(const uint8_t *code, size_t len, unsigned registers)
{
	struct bytes in = {.at = code, .end = code + len};
	struct operation op;

	if (!len || len > UNWIND_EXPR_MAX)
		return false;
	while (in.at < in.end)
		if (!decode(&in, &op) || op.reg >= registers)
			return false;
	return true;
}

struct machine {
	uint64_t stack[STACK];
	unsigned depth;
	bool bad; /* too deep, or popped when empty */
};

static void push(struct machine *m, uint64_t value)
{
	if (m->depth == STACK)
		m->bad = true;
	else
		m->stack[m->depth++] = value;
}

static uint64_t pop(struct machine *m)
{
	if (!m->depth) {
		m->bad = true;
		return 0;
	}
	return m->stack[--m->depth];
}

static uint64_t pick(struct machine *m, uint64_t n)
{
	if (n >= m->depth) {
		m->bad = true;
		return 0;
	}
	return m->stack[m->depth - 1 - n];
}

static uint64_t binary(struct machine *m, uint8_t code, uint64_t a, uint64_t b)
{
	int64_t sa = (int64_t)a, sb = (int64_t)b;

	switch (code) {
	case DW_OP_and: return a & b;
	case DW_OP_or: return a | b;
	case DW_OP_xor: return a ^ b;
	case DW_OP_plus: return a + b;
	case DW_OP_minus: return a - b;
	case DW_OP_mul: return a * b;
	case DW_OP_shl: return b < 64 ? a << b : 0;
	case DW_OP_shr: return b < 64 ? a >> b : 0;
	case DW_OP_shra: return (uint64_t)(sa >> (b < 64 ? b : 63));
	case DW_OP_eq: return a == b;
	case DW_OP_ne: return a != b;
	case DW_OP_ge: return sa >= sb;
	case DW_OP_gt: return sa > sb;
	case DW_OP_le: return sa <= sb;
	case DW_OP_lt: return sa < sb;
	case DW_OP_mod:
		m->bad |= !b;
		return b ? a % b : 0;
	case DW_OP_div:
		m->bad |= !sb || (sa == INT64_MIN && sb == -1);
		return m->bad ? 0 : (uint64_t)(sa / sb);
	}
	m->bad = true;
	return 0;
}

/* Operations that only move values about on the stack. */
static void compute(struct machine *m, const struct operation *op)
{
	uint64_t a, b, c;

	switch (op->code) {
	case DW_OP_lit0 ... DW_OP_lit31:
		return push(m, op->code - DW_OP_lit0);
	case DW_OP_addr:
	case DW_OP_const1u ... DW_OP_consts:
		return push(m, op->operand);
	case DW_OP_dup:
		return push(m, pick(m, 0));
	case DW_OP_over:
		return push(m, pick(m, 1));
	case DW_OP_pick:
		return push(m, pick(m, op->operand));
	case DW_OP_drop:
		pop(m);
		return;
	case DW_OP_swap:
		a = pop(m), b = pop(m);
		push(m, a);
		return push(m, b);
	case DW_OP_rot:
		a = pop(m), b = pop(m), c = pop(m);
		push(m, a);
		push(m, c);
		return push(m, b);
	case DW_OP_abs:
		a = pop(m);
		return push(m, (int64_t)a < 0 ? -a : a);
	case DW_OP_neg:
		return push(m, -pop(m));
	case DW_OP_not:
		return push(m, ~pop(m));
	case DW_OP_plus_uconst:
		return push(m, pop(m) + op->operand);
	case DW_OP_nop:
		return;
	}
	b = pop(m), a = pop(m);
	push(m, binary(m, op->code, a, b));
}

static int load(struct machine *m, const struct operation *op, unwind_reader *read, void *arg)
{
	uint64_t size = op->code == DW_OP_deref_size ? op->operand : 8, value;

	if (!size || size > 8)
		return -EINVAL;
	if (!read(arg, pop(m), &value))
		return -ENODATA;
	push(m, size < 8 ? value & ((1ull << 8 * size) - 1) : value);
	return 0;
}

static bool jump(struct bytes *in, const uint8_t *code, int64_t distance)
{
	int64_t target = in->at - code + distance;

	if (target < 0 || target > in->end - code)
		return false;
	in->at = code + target;
	return true;
}

int unwind_expr_eval(const uint8_t *code, size_t len, const struct unwind_regs *regs,
		     const uint64_t *cfa, unwind_reader *read, void *arg, uint64_t *ret_value)
{
	struct bytes in = {.at = code, .end = code + len};
	struct machine m = {.depth = 0};
	struct operation op;
	int r;

	if (cfa)
		push(&m, *cfa);
	for (unsigned steps = 0; in.at < in.end; steps++) {
		if (steps == STEPS || !decode(&in, &op))
			return -EINVAL;
		if (operands[op.code] == REG_SLEB ||
		    (op.code >= DW_OP_breg0 && op.code <= DW_OP_breg31)) {
			if (op.reg >= UNWIND_REGS || !(regs->known >> op.reg & 1))
				return -ENODATA;
			push(&m, regs->value[op.reg] + op.operand);
		} else if (op.code == DW_OP_deref || op.code == DW_OP_deref_size) {
			r = load(&m, &op, read, arg);
			if (r < 0)
				return r;
		} else if (op.code == DW_OP_skip || (op.code == DW_OP_bra && pop(&m))) {
			if (!jump(&in, code, (int64_t)op.operand))
				return -EINVAL;
		} else if (op.code != DW_OP_bra) {
			compute(&m, &op);
		}
		if (m.bad)
			return -EINVAL;
	}
	*ret_value = pop(&m);
	return m.bad ? -EINVAL : 0;
}
