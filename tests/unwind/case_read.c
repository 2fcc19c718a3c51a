// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "case.h"
#include "fail.h"
#include "mem.h"

static bool read_reg(struct unwind_case *c, const char *args)
{
	unsigned reg;
	uint64_t value;

	if (sscanf(args, "%x %lx", &reg, &value) != 2 || reg >= UNWIND_REGS)
		return false;
	unwind_regs_set(&c->input.regs, reg, value);
	return true;
}

static bool read_map(struct unwind_case *c, const char *args)
{
	struct unwind_mapping *m = &c->mappings[c->input.mapping_count];
	char code[16], table[16];

	if (c->input.mapping_count == sizeof(c->mappings) / sizeof(c->mappings[0]) ||
	    sscanf(args, "%lx %lx %15s %lx %15s", &m->start, &m->end, code, &m->bias, table) != 5)
		return false;
	m->code = !strcmp(code, "module") ? UNWIND_CODE_MODULE
		: !strcmp(code, "jit")    ? UNWIND_CODE_JIT
		: !strcmp(code, "jit-fp") ? UNWIND_CODE_JIT_FP : UNWIND_CODE_UNKNOWN;
	if (*table != '-') {
		size_t number = strtoul(table, NULL, 16);

		if (number >= c->table_count)
			return false;
		m->table = c->tables[number];
	}
	c->input.mapping_count++;
	return true;
}

static bool read_table(struct unwind_case *c, const char *args)
{
	size_t len = strspn(args, "0123456789abcdef") / 2;
	_cleanup_free_ unsigned char *image = xmalloc(len + 1);

	if (c->table_count == sizeof(c->tables) / sizeof(c->tables[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		sscanf(args + 2 * i, "%2hhx", &image[i]);
	return !unwind_table_load(image, len, &c->tables[c->table_count]) && ++c->table_count;
}

static bool read_stack(struct unwind_case *c, const char *args)
{
	struct unwind_stack *s = &c->stacks[c->input.stack_count];

	if (c->input.stack_count == 2 || sscanf(args, "%lx %zx", &s->start, &s->len) != 2 ||
	    s->len > 8u << 20)
		return false;
	s->bytes = xcalloc(1, s->len + 1);
	c->input.stack_count++;
	return true;
}

static bool read_word(struct unwind_case *c, const char *args)
{
	uint64_t address, value;

	if (sscanf(args, "%lx %lx", &address, &value) != 2)
		return false;
	for (size_t i = 0; i < c->input.stack_count; i++) {
		struct unwind_stack *s = &c->stacks[i];

		if (s->len >= 8 && address - s->start <= s->len - 8)
			return memcpy((char *)(uintptr_t)s->bytes + (address - s->start), &value, 8);
	}
	return false;
}

static bool read_frame(struct unwind_case *c, const char *args)
{
	struct unwind_output *e = &c->expected;
	char exact[16];

	if (e->count == UNWIND_FRAMES_MAX || sscanf(args, "%lx %15s", &e->ip[e->count], exact) != 2)
		return false;
	e->exact[e->count++] = !strcmp(exact, "exact");
	return true;
}

static bool read_status(struct unwind_case *c, const char *args)
{
	char status[16];
	unsigned reason;

	if (sscanf(args, "%15s %x", status, &reason) != 2)
		return false;
	c->expected.status = !strcmp(status, "complete")  ? UNWIND_COMPLETE
			   : !strcmp(status, "truncated") ? UNWIND_TRUNCATED : UNWIND_UNREADABLE;
	c->expected.reason = (enum unwind_reason)reason;
	return true;
}

static const struct {
	const char *word;
	bool (*read)(struct unwind_case *c, const char *args);
} lines[] = {
	{"reg ", read_reg}, {"map ", read_map}, {"table ", read_table}, {"stack ", read_stack},
	{"word ", read_word}, {"frame ", read_frame}, {"status ", read_status},
};

static bool read_line(struct unwind_case *c, const char *line)
{
	if (*line == '#' || *line == '\n')
		return true;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strncmp(line, lines[i].word, strlen(lines[i].word)))
			return lines[i].read(c, line + strlen(lines[i].word));
	return false;
}

int case_read(const char *path, struct unwind_case **ret_case)
{
	_cleanup_(case_freep) struct unwind_case *c = xcalloc(1, sizeof(*c));
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t capacity = 0;
	unsigned number = 0;

	if (!f)
		return fail(-errno, "open %s", path);
	c->input.arch = &unwind_arch_x86_64;
	c->input.stacks = c->stacks;
	c->input.mappings = c->mappings;
	while (getline(&line, &capacity, f) > 0) {
		number++;
		if (!read_line(c, line))
			return failx(-EINVAL, "%s: line %u cannot be read", path, number);
	}
	*ret_case = c;
	c = NULL;
	return 0;
}

void case_free(struct unwind_case *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->input.stack_count; i++)
		free((void *)(uintptr_t)c->stacks[i].bytes);
	for (size_t i = 0; i < c->table_count; i++)
		unwind_table_free(c->tables[i]);
	free(c);
}
