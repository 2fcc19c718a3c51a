// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "case.h"
#include "mem.h"
#include "unwind_builder.h"

static bool same(const struct unwind_output *a, const struct unwind_output *b)
{
	return a->status == b->status && a->reason == b->reason && a->count == b->count &&
	       !memcmp(a->ip, b->ip, a->count * sizeof(a->ip[0]));
}

static bool is_address(const struct capture *c, uint64_t value)
{
	for (size_t i = 0; i < c->input.stack_count; i++)
		if (value - c->stacks[i].start < c->stacks[i].len)
			return true;
	for (size_t i = 0; i < c->mapping_count; i++)
		if (value >= c->mappings[i].start && value <= c->mappings[i].end)
			return true;
	return false;
}

/* Clears the words that are neither addresses nor needed. */
static void strip(struct capture *c, const struct unwind_output *want)
{
	static struct unwind_output now;

	for (size_t i = 0; i < c->input.stack_count; i++) {
		char *bytes = (char *)(uintptr_t)c->stacks[i].bytes;

		for (size_t at = 0; at + 8 <= c->stacks[i].len; at += 8) {
			uint64_t word, zero = 0;

			memcpy(&word, bytes + at, 8);
			if (!word || is_address(c, word))
				continue;
			memcpy(bytes + at, &zero, 8);
			unwind_stack(&c->input, &now);
			if (!same(&now, want))
				memcpy(bytes + at, &word, 8);
		}
	}
}

static const struct unwind_mapping *mapping_of(const struct capture *c, uint64_t ip)
{
	for (size_t i = 0; i < c->mapping_count; i++)
		if (ip >= c->mappings[i].start && ip < c->mappings[i].end)
			return &c->mappings[i];
	return NULL;
}

static int copy_expr(struct unwind_builder *b, const struct unwind_table *t, int32_t number)
{
	size_t len;
	const uint8_t *code = unwind_table_expr(t, number, &len);

	return unwind_builder_expr(b, code, len);
}

static int copy_rule(struct unwind_builder *b, const struct unwind_table *t,
		     const struct unwind_rule *rule)
{
	size_t len = sizeof(*rule) + rule->saves * sizeof(rule->save[0]);
	_cleanup_free_ struct unwind_rule *r = xmalloc(len);

	memcpy(r, rule, len);
	if (r->cfa == UNWIND_CFA_EXPRESSION)
		r->cfa_value = copy_expr(b, t, r->cfa_value);
	for (unsigned i = 0; i < r->saves; i++)
		if (r->save[i].how == UNWIND_HOW_AT_EXPRESSION || r->save[i].how == UNWIND_HOW_IS_EXPRESSION)
			r->save[i].value = copy_expr(b, t, r->save[i].value);
	return unwind_builder_rule(b, r);
}

static bool is_used(const struct capture *c, const struct unwind_output *out,
		    const struct unwind_mapping *m)
{
	for (uint32_t i = 0; i < out->count; i++)
		if (mapping_of(c, unwind_lookup_ip(out, i)) == m)
			return true;
	return false;
}

/* The neighbourhood of every code address on the stack: the frames', and others' to be misled by. */
static int subset(const struct capture *c, const struct unwind_mapping *m, struct unwind_table **ret)
{
	_cleanup_(unwind_builder_freep) struct unwind_builder *b = NULL;
	struct unwind_segment segment = {.address = m->start - m->bias, .size = m->end - m->start};
	_cleanup_free_ bool *wanted = xcalloc(segment.size + 1, 1);
	bool open = false;
	int r;

	for (size_t i = 0; i < c->input.stack_count; i++)
		for (size_t at = 0; at + 8 <= c->stacks[i].len; at += 8) {
			uint64_t word;

			memcpy(&word, (const char *)c->stacks[i].bytes + at, 8);
			if (word > m->start && word <= m->end)
				wanted[word - m->start - 1] = true;
		}
	if (c->input.regs.value[UNWIND_RIP] - m->start < segment.size)
		wanted[c->input.regs.value[UNWIND_RIP] - m->start] = true;
	r = unwind_builder_new(c->input.arch, &segment, 1, &b);
	for (uint64_t at = 0; r >= 0 && at < segment.size; at++) {
		const struct unwind_rule *rule =
			wanted[at] ? unwind_table_find(m->table, segment.address + at) : NULL;

		if (rule || open)
			r = unwind_builder_row(b, segment.address + at,
					       rule ? copy_rule(b, m->table, rule) : UNWIND_RULE_NONE);
		open = rule;
	}
	return r < 0 ? r : unwind_builder_finish(b, ret);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int write_mapping(const struct capture *c, const struct unwind_output *out, size_t i,
			 unsigned *tables, FILE *f)
{
	static const char *const code[] = {"unknown", "module", "jit", "jit-fp"};
	const struct unwind_mapping *m = &c->mappings[i];
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	const unsigned char *image;
	size_t len;

	if (m->table && is_used(c, out, m)) {
		int r = subset(c, m, &t);

		if (r < 0)
			return r;
		image = unwind_table_image(t, &len);
		fputs("table ", f);
		for (size_t at = 0; at < len; at++)
			fprintf(f, "%02x", image[at]);
		fputc('\n', f);
	}
	fprintf(f, "map %lx %lx %s %lx ", m->start, m->end, code[m->code], m->bias);
	if (t)
		fprintf(f, "%x", (*tables)++);
	else
		fputc('-', f);
	fprintf(f, " %s\n", *c->names[i] ? base_name(c->names[i]) : "[anonymous]");
	return 0;
}

static void write_stack(const struct unwind_stack *s, FILE *f)
{
	fprintf(f, "stack %lx %zx\n", s->start, s->len);
	for (size_t at = 0; at + 8 <= s->len; at += 8) {
		uint64_t word;

		memcpy(&word, (const char *)s->bytes + at, 8);
		if (word)
			fprintf(f, "word %lx %lx\n", s->start + at, word);
	}
}

int case_write(struct capture *c, const struct unwind_output *out, struct oracle *o, FILE *f)
{
	static const char *const status[] = {"complete", "truncated", "unreadable"};
	unsigned tables = 0;
	int r;

	strip(c, out);
	for (unsigned i = 0; i < UNWIND_X86_64_REGS; i++)
		if (i == UNWIND_RIP || is_address(c, c->input.regs.value[i]) || !c->input.regs.value[i])
			fprintf(f, "reg %x %lx\n", i, c->input.regs.value[i]);
	for (size_t i = 0; i < c->mapping_count; i++) {
		r = write_mapping(c, out, i, &tables, f);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < c->input.stack_count; i++)
		write_stack(&c->stacks[i], f);
	for (uint32_t i = 0; i < out->count; i++) {
		const char *name = o ? oracle_name(o, unwind_lookup_ip(out, i)) : NULL;

		fprintf(f, "frame %lx %s %s\n", out->ip[i], out->exact[i] ? "exact" : "call", name ? name : "?");
	}
	fprintf(f, "status %s %x\n", status[out->status], out->reason);
	return 0;
}
