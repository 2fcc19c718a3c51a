// SPDX-License-Identifier: BSD-2-Clause
/* Explanations from a child that may have been taken over: none is believed that is malformed or was not asked for. */
#include "check.h"

#include <string.h>

#include "protocol.h"
#include "unwind.h"
#include "unwind_memo.h"

enum { SPACE = 7, DEPTH = 3, WORDS = 1, START = 0x10000 };

struct explanation {
	struct record_explained head;
	uint64_t data[UNWIND_X86_64_REGS + 2 * EXPLAINED_DEPTH + 4 * UNWIND_NEEDS_MAX];
};

/* By the stack pointer, where it is executing, and one word. */
static struct explanation explanation(uint32_t depth, uint32_t words)
{
	struct explanation e = {.head = {
		.head = {RECORD_EXPLAINED, (uint32_t)(sizeof(e.head) + 8 * (UNWIND_X86_64_REGS + depth + 2 * words))},
		.space = SPACE, .depth = depth, .words = words, .stack_start = START, .stack_len = 64,
		.regs = 1ull << UNWIND_RIP | 1ull << UNWIND_RSP}};

	e.data[UNWIND_RIP] = e.data[UNWIND_X86_64_REGS] = 0x400100;
	e.data[UNWIND_RSP] = START;
	for (uint32_t i = 0; i < words; i++)
		e.data[UNWIND_X86_64_REGS + depth + 2 * i] = START + 8;
	return e;
}

static size_t depth_found(struct unwind_memo *m, uint64_t word)
{
	uint64_t stack[8] = {0, word};
	struct unwind_regs regs = {0};
	size_t depth = 0;
	bool again;

	unwind_regs_set(&regs, UNWIND_RIP, 0x400100);
	unwind_regs_set(&regs, UNWIND_RSP, START);
	return unwind_memo_find(m, &(struct unwind_capture){SPACE, &regs, START, stack, sizeof(stack)}, &depth, &again) ? depth : 0;
}

static bool learns(struct unwind_memo *m, const struct explanation *e)
{
	unwind_memo_expect(m, true, SPACE);
	return unwind_memo_learn(m, &e->head);
}

static void test_asked(struct unwind_memo *m)
{
	struct explanation e = explanation(DEPTH, WORDS);

	CHECK(!unwind_memo_learn(m, &e.head));
	unwind_memo_expect(m, false, SPACE);
	CHECK(!unwind_memo_learn(m, &e.head));
	unwind_memo_expect(m, true, SPACE + 1);
	CHECK(!unwind_memo_learn(m, &e.head) && !depth_found(m, 0));
	CHECK(learns(m, &e) && depth_found(m, 0) == DEPTH && !depth_found(m, 1));
	CHECK(!unwind_memo_learn(m, &e.head)); /* one answer, one explanation */
	unwind_memo_forget(m, SPACE);
	CHECK(!depth_found(m, 0));
	CHECK(learns(m, &e));
	unwind_memo_expect(m, true, SPACE);
	unwind_memo_forget_all(m);
	CHECK(!depth_found(m, 0) && !unwind_memo_learn(m, &e.head));
}

static void test_malformed(struct unwind_memo *m)
{
	struct explanation e = explanation(0, WORDS);

	CHECK(!learns(m, &e));
	e = explanation(EXPLAINED_DEPTH + 1, WORDS);
	CHECK(!learns(m, &e));
	e = explanation(DEPTH, UNWIND_NEEDS_MAX + 1);
	CHECK(!learns(m, &e));
	e = explanation(DEPTH, WORDS);
	e.head.words++; /* more than follow */
	CHECK(!learns(m, &e));
	e = explanation(DEPTH, WORDS);
	e.head.words = 0x80000001; /* twice as many are 2, in 32 bits */
	CHECK(!learns(m, &e));
	e = explanation(DEPTH, WORDS);
	e.head.regs |= 1ull << UNWIND_X86_64_REGS;
	CHECK(!learns(m, &e) && !depth_found(m, 0));
	e = explanation(EXPLAINED_DEPTH, UNWIND_NEEDS_MAX);
	CHECK(learns(m, &e) && depth_found(m, 0) == EXPLAINED_DEPTH);
}

int main(void)
{
	struct unwind_memo *m = unwind_memo_new();

	test_asked(m);
	test_malformed(m);
	unwind_memo_free(m);
	return check_done("unwind_memo");
}
