// SPDX-License-Identifier: BSD-2-Clause
/* Stacks captured from real programs must unwind to the frames that were checked when they were
 * captured; with damaged registers and bytes the unwinder must still end, within its limits. */
#include "check.h"

#include <dirent.h>
#include <stdlib.h>

#include "case.h"
#include "clock.h"
#include "fail.h"

static bool as_expected(const struct unwind_output *out, const struct unwind_output *want)
{
	if (out->status != want->status || out->reason != want->reason || out->count != want->count)
		return false;
	for (uint32_t i = 0; i < out->count; i++)
		if (out->ip[i] != want->ip[i] || out->exact[i] != want->exact[i])
			return false;
	return true;
}

static void damage(struct unwind_case *c, unsigned changes)
{
	struct unwind_stack *s = &c->stacks[0];
	uint64_t word = s->start + (uint64_t)rand() % s->len;

	for (unsigned i = 0; i < changes; i++) {
		size_t at = (size_t)rand() % (s->len < 4096 ? s->len : 4096) & ~(size_t)7;

		if (rand() % 2)
			word = s->start + ((uint64_t)rand() % s->len & ~7ull);
		else if (c->input.mapping_count)
			word = c->mappings[(size_t)rand() % c->input.mapping_count].start + (uint64_t)rand() % 4096;
		if (rand() % 8 == 0)
			unwind_regs_set(&c->input.regs, (unsigned)rand() % UNWIND_X86_64_REGS, word);
		else if (at + 8 <= s->len)
			memcpy((char *)(uintptr_t)s->bytes + at, &word, 8);
	}
}

static bool is_needed(const struct unwind_needs *n, uint64_t address)
{
	for (uint32_t i = 0; i < n->count; i++)
		if (n->words[i].address - address + 7 < 15)
			return true;
	return false;
}

/* All but what the walk says that it went by. */
static void scramble(struct unwind_case *c, const struct unwind_needs *n)
{
	for (size_t i = 0; i < c->input.stack_count; i++) {
		struct unwind_stack *s = &c->stacks[i];

		for (size_t at = 0; at + 8 <= s->len; at += 8) {
			uint64_t word = c->mappings[(size_t)rand() % c->input.mapping_count].start + (uint64_t)rand() % 4096;

			if (!is_needed(n, s->start + at))
				memcpy((char *)(uintptr_t)s->bytes + at, &word, 8);
		}
	}
	for (unsigned reg = 0; reg < UNWIND_X86_64_REGS; reg++)
		if (!(n->regs >> reg & 1))
			c->input.regs.value[reg] = c->stacks[0].start + (uint64_t)rand() % c->stacks[0].len;
}

/* Nothing else than what it says changes where a walk leads. Returns whether it says so at all. */
static bool test_needs(const char *path)
{
	static struct unwind_output out, other;
	_cleanup_(case_freep) struct unwind_case *c = NULL;

	CHECK(case_read(path, &c) == 0);
	c->input.explain = true;
	unwind_stack(&c->input, &out);
	CHECK(as_expected(&out, &c->expected));
	if (out.status != UNWIND_COMPLETE || !out.needs.known)
		return false;
	for (unsigned i = 0; i < 20; i++) {
		scramble(c, &out.needs);
		unwind_stack(&c->input, &other);
		CHECK(as_expected(&other, &out));
	}
	CHECK(out.needs.count >= out.count - 2 && out.needs.count < 3 * out.count);
	return true;
}

static void test_case(const char *path)
{
	static struct unwind_output out;
	_cleanup_(case_freep) struct unwind_case *c = NULL;
	unsigned wrong = 0;
	uint64_t begin;
	int r = case_read(path, &c);

	CHECK(r == 0);
	if (r < 0) {
		fprintf(stderr, "  %s\n", fail_message());
		return;
	}
	CHECK(c->expected.count > 0 && c->input.stack_count > 0);
	unwind_stack(&c->input, &out);
	CHECK(as_expected(&out, &c->expected));
	if (!as_expected(&out, &c->expected))
		fprintf(stderr, "  %s: %u frames, %s\n", path, out.count, unwind_reason_text(out.reason));
	begin = clock_cpu_ns();
	for (unsigned i = 0; i < 500; i++) {
		damage(c, 1 + i % 4);
		unwind_stack(&c->input, &out);
		wrong += out.count > UNWIND_FRAMES_MAX || (out.status == UNWIND_TRUNCATED && !out.reason);
	}
	CHECK(wrong == 0);
	CHECK(clock_cpu_ns() - begin < 5 * NS_PER_S);
}

int main(void)
{
	DIR *d = opendir(UNWIND_CASES);
	unsigned cases = 0, explained = 0;
	struct dirent *e;
	char path[4096];

	srand(1);
	while (d && (e = readdir(d))) {
		const char *dot = strrchr(e->d_name, '.');

		if (!dot || strcmp(dot, ".case") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", UNWIND_CASES, e->d_name);
		test_case(path);
		explained += test_needs(path);
		cases++;
	}
	CHECK(cases >= 10);
	CHECK(explained >= cases / 2);
	if (d)
		closedir(d);
	return check_done("unwind_cases");
}
