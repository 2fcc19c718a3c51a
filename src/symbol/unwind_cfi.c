// SPDX-License-Identifier: BSD-2-Clause
#include "unwind_cfi.h"

#include <dwarf.h>

#include "mem.h"
#include "unwind_cfi_entry.h"
#include "unwind_expr.h"

#define REMEMBERED_MAX 32

/* What holds at one address. */
struct state {
	enum unwind_cfa cfa;
	unsigned cfa_reg;
	int64_t cfa_value;
	uint64_t saved; /* bit n: register n has an entry below */
	struct {
		uint8_t how;
		int32_t value;
	} reg[UNWIND_REGS];
};

struct program {
	const struct unwind_arch *arch;
	const struct cfi_section *section;
	const struct cie *cie;
	struct unwind_builder *builder;
	struct state now, initial;
	struct state remembered[REMEMBERED_MAX];
	unsigned depth;
	uint64_t from, at, end; /* rows are wanted from `from` on */
	bool dirty;             /* `now` has no row yet */
	bool failed;
};

static int encode(struct program *p)
{
	struct {
		struct unwind_rule rule;
		struct unwind_save save[UNWIND_REGS];
	} r = {.rule = {.cfa = (uint8_t)p->now.cfa, .cfa_reg = (uint8_t)p->now.cfa_reg,
			.cfa_value = (int32_t)p->now.cfa_value,
			.flags = p->cie->signal ? UNWIND_RULE_SIGNAL : 0}};
	int number;

	if (p->failed || p->now.cfa == UNWIND_CFA_NONE || p->now.cfa_value != r.rule.cfa_value ||
	    !(p->now.saved >> p->arch->ip & 1))
		return UNWIND_RULE_UNSUPPORTED;
	for (uint64_t left = p->now.saved; left; left &= left - 1) {
		unsigned reg = (unsigned)__builtin_ctzll(left);

		r.save[r.rule.saves++] = (struct unwind_save){
			.reg = reg, .how = p->now.reg[reg].how, .value = p->now.reg[reg].value};
	}
	number = unwind_builder_rule(p->builder, &r.rule);
	return number < 0 ? UNWIND_RULE_UNSUPPORTED : number;
}

static int flush(struct program *p)
{
	uint64_t at = p->at < p->from ? p->from : p->at;

	if (!p->dirty || at >= p->end)
		return 0;
	p->dirty = false;
	return unwind_builder_row(p->builder, at, encode(p));
}

static int advance(struct program *p, uint64_t delta)
{
	int r = flush(p);

	delta *= p->cie->code_align;
	if (delta > p->end - p->at)
		p->at = p->end;
	else
		p->at += delta;
	return r;
}

static void set_loc(struct program *p, struct bytes *in, int *ret_r)
{
	uint64_t to;

	*ret_r = flush(p);
	if (!cfi_pointer(in, p->section, p->cie->pointer, &to) || to < p->at)
		p->failed = true;
	else
		p->at = to < p->end ? to : p->end;
}

static void save(struct program *p, uint64_t reg, enum unwind_how how, int64_t value)
{
	if (reg >= p->arch->registers)
		return; /* vector registers and the like: nothing depends on them */
	if (value < -UNWIND_SAVE_MAX || value > UNWIND_SAVE_MAX) {
		p->failed = true;
		return;
	}
	if (how == UNWIND_HOW_SAME)
		p->now.saved &= ~(1ull << reg);
	else
		p->now.saved |= 1ull << reg;
	p->now.reg[reg].how = (uint8_t)how;
	p->now.reg[reg].value = (int32_t)value;
}

static void restore(struct program *p, uint64_t reg)
{
	if (reg >= p->arch->registers)
		return;
	if (p->initial.saved >> reg & 1)
		save(p, reg, p->initial.reg[reg].how, p->initial.reg[reg].value);
	else
		save(p, reg, UNWIND_HOW_SAME, 0);
}

static int64_t factored(const struct program *p, int64_t offset)
{
	int64_t product;

	if (__builtin_mul_overflow(offset, p->cie->data_align, &product))
		return INT64_MAX; /* too large for any rule */
	return product;
}

static void def_cfa(struct program *p, uint64_t reg, int64_t value)
{
	if (reg >= p->arch->registers)
		p->failed = true;
	p->now.cfa = UNWIND_CFA_REGISTER;
	p->now.cfa_reg = (unsigned)reg;
	p->now.cfa_value = value;
}

/* Number of the expression that follows; a failed program when it cannot be evaluated. */
static int64_t expression(struct program *p, struct bytes *in)
{
	struct bytes code = bytes_take(in, bytes_uleb(in));
	int number = -1;

	if (!code.bad && unwind_expr_check(code.at, bytes_left(&code), p->arch->registers))
		number = unwind_builder_expr(p->builder, code.at, bytes_left(&code));
	if (number < 0)
		p->failed = true;
	return number < 0 ? 0 : number;
}

static void remember(struct program *p)
{
	if (p->depth == REMEMBERED_MAX)
		p->failed = true;
	else
		p->remembered[p->depth++] = p->now;
}

static void recall(struct program *p)
{
	if (!p->depth)
		p->failed = true;
	else
		p->now = p->remembered[--p->depth];
}

/* Instructions that say where registers are saved, after their opcode. */
static bool save_instruction(struct program *p, uint8_t code, struct bytes *in)
{
	uint64_t reg;

	switch (code) {
	case DW_CFA_offset_extended:
	case DW_CFA_val_offset:
		reg = bytes_uleb(in);
		save(p, reg, code == DW_CFA_val_offset ? UNWIND_HOW_IS_CFA : UNWIND_HOW_AT_CFA,
		     factored(p, (int64_t)bytes_uleb(in)));
		return true;
	case DW_CFA_offset_extended_sf:
	case DW_CFA_val_offset_sf:
		reg = bytes_uleb(in);
		save(p, reg, code == DW_CFA_val_offset_sf ? UNWIND_HOW_IS_CFA : UNWIND_HOW_AT_CFA,
		     factored(p, bytes_sleb(in)));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		reg = bytes_uleb(in);
		save(p, reg, UNWIND_HOW_AT_CFA, factored(p, -(int64_t)bytes_uleb(in)));
		return true;
	case DW_CFA_restore_extended:
		restore(p, bytes_uleb(in));
		return true;
	case DW_CFA_undefined:
		save(p, bytes_uleb(in), UNWIND_HOW_UNDEFINED, 0);
		return true;
	case DW_CFA_same_value:
		save(p, bytes_uleb(in), UNWIND_HOW_SAME, 0);
		return true;
	case DW_CFA_register: {
		uint64_t from;

		reg = bytes_uleb(in);
		from = bytes_uleb(in);
		if (from < p->arch->registers)
			save(p, reg, UNWIND_HOW_REGISTER, (int64_t)from);
		else
			save(p, reg, UNWIND_HOW_UNDEFINED, 0);
		return true;
	}
	case DW_CFA_expression:
	case DW_CFA_val_expression:
		reg = bytes_uleb(in);
		save(p, reg, code == DW_CFA_expression ? UNWIND_HOW_AT_EXPRESSION
						       : UNWIND_HOW_IS_EXPRESSION,
		     expression(p, in));
		return true;
	}
	return false;
}

/* Instructions that say where the frame begins. */
static bool cfa_instruction(struct program *p, uint8_t code, struct bytes *in)
{
	uint64_t reg;

	switch (code) {
	case DW_CFA_def_cfa:
		reg = bytes_uleb(in);
		def_cfa(p, reg, (int64_t)bytes_uleb(in));
		return true;
	case DW_CFA_def_cfa_sf:
		reg = bytes_uleb(in);
		def_cfa(p, reg, factored(p, bytes_sleb(in)));
		return true;
	case DW_CFA_def_cfa_register:
		def_cfa(p, bytes_uleb(in), p->now.cfa_value);
		return true;
	case DW_CFA_def_cfa_offset:
		def_cfa(p, p->now.cfa_reg, (int64_t)bytes_uleb(in));
		return true;
	case DW_CFA_def_cfa_offset_sf:
		def_cfa(p, p->now.cfa_reg, factored(p, bytes_sleb(in)));
		return true;
	case DW_CFA_def_cfa_expression:
		p->now.cfa_value = expression(p, in);
		p->now.cfa = UNWIND_CFA_EXPRESSION;
		p->now.cfa_reg = 0;
		return true;
	}
	return false;
}

static int instruction(struct program *p, struct bytes *in)
{
	uint8_t code = bytes_u8(in), low = code & 0x3f;
	int r = 0;

	switch (code & 0xc0) {
	case DW_CFA_advance_loc:
		return advance(p, low);
	case DW_CFA_offset:
		p->dirty = true;
		save(p, low, UNWIND_HOW_AT_CFA, factored(p, (int64_t)bytes_uleb(in)));
		return 0;
	case DW_CFA_restore:
		p->dirty = true;
		restore(p, low);
		return 0;
	}
	switch (code) {
	case DW_CFA_nop:
		return 0;
	case DW_CFA_advance_loc1:
		return advance(p, bytes_unsigned(in, 1));
	case DW_CFA_advance_loc2:
		return advance(p, bytes_unsigned(in, 2));
	case DW_CFA_advance_loc4:
		return advance(p, bytes_unsigned(in, 4));
	case DW_CFA_MIPS_advance_loc8:
		return advance(p, bytes_unsigned(in, 8));
	case DW_CFA_set_loc:
		set_loc(p, in, &r);
		return r;
	case DW_CFA_GNU_args_size:
		bytes_uleb(in); /* matters to exceptions only */
		return 0;
	}
	p->dirty = true;
	if (code == DW_CFA_remember_state)
		remember(p);
	else if (code == DW_CFA_restore_state)
		recall(p);
	else if (!cfa_instruction(p, code, in) && !save_instruction(p, code, in))
		p->failed = true;
	return 0;
}

/* Once an instruction is not understood, nothing behind it in the function can be believed. */
static int run(struct program *p, struct bytes in)
{
	int r;

	while (bytes_left(&in) && !p->failed && p->at < p->end) {
		r = instruction(p, &in);
		if (r < 0)
			return r;
	}
	p->failed |= in.bad;
	p->dirty |= p->failed;
	return flush(p);
}

/* The state that a CIE's functions begin with. */
struct start {
	struct state state;
	bool failed;
};

static int run_cie(struct program *p, const struct cie *c, struct start *ret_start)
{
	int r;

	memset(&p->now, 0, sizeof(p->now));
	memset(&p->initial, 0, sizeof(p->initial));
	p->cie = c;
	p->depth = 0;
	p->failed = false;
	p->at = 0;
	p->end = 1;
	p->from = p->end; /* no rows */
	r = run(p, c->code);
	ret_start->state = p->now;
	ret_start->failed = p->failed;
	return r;
}

static int run_fde(struct program *p, const struct fde *f, const struct start *start, uint64_t from)
{
	int r;

	p->now = p->initial = start->state;
	p->failed = start->failed;
	p->depth = 0;
	p->at = f->start;
	p->end = f->end;
	p->from = from;
	p->dirty = true;
	r = run(p, f->code);
	if (r < 0)
		return r;
	return unwind_builder_row(p->builder, f->end, UNWIND_RULE_NONE);
}

static int by_address(const void *left, const void *right)
{
	const struct fde *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->section > b->section) - (a->section < b->section);
}

static int run_all(struct program *p, const struct cfi_entries *e, const struct cfi_section *sections,
		   struct start *starts)
{
	uint64_t covered = 0;
	int r;

	for (uint32_t i = 0; i < e->cie_count; i++) {
		p->section = &sections[e->cies[i].section];
		r = run_cie(p, &e->cies[i], &starts[i]);
		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < e->fde_count; i++) {
		const struct fde *f = &e->fdes[i];

		if (f->end <= covered)
			continue;
		p->section = &sections[f->section];
		p->cie = &e->cies[f->cie];
		r = run_fde(p, f, &starts[f->cie], f->start < covered ? covered : f->start);
		if (r < 0)
			return r;
		covered = f->end;
	}
	return 0;
}

int cfi_build(const struct unwind_arch *arch, const struct cfi_section *sections, size_t count,
	      struct unwind_builder *b)
{
	_cleanup_(cfi_entries_done) struct cfi_entries e = {0};
	_cleanup_free_ struct program *p = xcalloc(1, sizeof(*p));
	_cleanup_free_ struct start *starts = NULL;
	int r;

	for (size_t i = 0; i < count; i++) {
		r = sections[i].data ? cfi_entries_read(&e, sections, (uint8_t)i, b) : 0;
		if (r < 0)
			return r;
	}
	if (e.fde_count)
		qsort(e.fdes, e.fde_count, sizeof(*e.fdes), by_address);
	starts = xcalloc(e.cie_count + 1, sizeof(*starts));
	p->arch = arch;
	p->builder = b;
	return run_all(p, &e, sections, starts);
}
